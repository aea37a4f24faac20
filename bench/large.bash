# shellcheck disable=SC2154 # bench/run sets what is not set here
# The part of bench/run with one relay that has much: devices in its store, orders that wait for the CA, and TLS clients that say
# nothing. Sourced by it.
#
# The CA leaves all orders "processing" for as long as it is measured, so that each enrolment is one more order that waits.

# one_more: p50 and p99, in ms, of enrolments one after the other.
one_more() {
    local p50 p99
    read -r _ p50 p99 _ < <(bench-est simpleenroll --clients 1 --rounds 1 --requests "$large_more" --port "$RELAY_PORT" \
        --pid "$RELAY_PID" --pki large --tls 1.3)
    echo "p50 $p50, p99 $p99 ms"
}

# waiting_cpu: share of a core that the relay takes now, in percent.
waiting_cpu() {
    local before
    before=$(cpu_of "$RELAY_PID")
    sleep 20
    awk -v a="$(cpu_of "$RELAY_PID")" -v b="$before" 'BEGIN { printf "%.1f", (a - b) / 20 * 100 }'
}

large() {
    local rss with each idle_pid began
    ulimit -n $((large_idle + 1000))
    start_knot "$folder/dns-large" domain.com
    start_ca "$folder/ca-large" --dns-server "$DNS_SERVER" --fault processing=7200
    mkdir -p large
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --account large/acct.json >/dev/null
    make_pki large
    unset RELAY_PORT RELAY_ADMIN_PORT
    ACCOUNT=acct.json RELAY_LIMITS=$(printf '%s\n' 'orders_in_total = 10000000' 'renewal_reserve = 0' 'idle = "30m"' \
        "connections = $((large_idle + 100))" "connections_per_address = $((large_idle + 100))") \
        write_relay_toml large 'wait = "0s"'
    sed -i 's/^inventory = .*/accept_any = true/' large/relay.toml
    start_relay large
    echo
    echo "One relay, every answer 202 (goal: 4 kB an order)"
    printf '  %s devices in the store: %s MiB, an enrolment %s\n' 0 "$(rss_of "$RELAY_PID")" "$(one_more)"
    stop_relay
    "$ROOT/bench/fill_store.py" "$large_devices" large/relay.db
    # Those under way are at a CA that is not there.
    python3 -c 'import sqlite3; sqlite3.connect("large/relay.db", isolation_level=None).execute("DELETE FROM orders WHERE state < 2")'
    start_relay large
    printf '  %s devices in the store: %s MiB, an enrolment %s\n' "$large_devices" "$(rss_of "$RELAY_PID")" "$(one_more)"

    rss=$(rss_of "$RELAY_PID") began=$SECONDS
    bench-est simpleenroll --clients 8 --rounds 10 --requests $((large_pending / 10)) --port "$RELAY_PORT" \
        --pid "$RELAY_PID" --pki large >/dev/null
    wait_for 3600 everything_placed
    with=$(rss_of "$RELAY_PID")
    each=$(awk -v a="$with" -v b="$rss" -v n="$large_pending" 'BEGIN { printf "%.1f", (a - b) * 1024 / n }')
    printf '  and %s orders that wait, placed in %s s: %s MiB, %s kB each; %s %% of a core while they wait; one more enrolment %s\n' \
        "$large_pending" $((SECONDS - began)) "$with" "$each" "$(waiting_cpu)" "$(one_more)"

    bench-est cacerts --clients 1 --rounds 1 --requests 1 --port "$RELAY_PORT" --pid "$RELAY_PID" --pki large --tls 1.3 \
        --idle "$large_idle" --hold 3600 >/dev/null &
    idle_pid=$!
    STARTED+=("$idle_pid")
    wait_for 600 all_are_connected
    printf '  and %s idle TLS clients: %s MiB, %s kB each; %s %% of a core; one more enrolment %s\n' "$large_idle" \
        "$(rss_of "$RELAY_PID")" "$(awk -v a="$(rss_of "$RELAY_PID")" -v b="$with" -v n="$large_idle" \
            'BEGIN { printf "%.1f", (a - b) * 1024 / n }')" "$(waiting_cpu)" "$(one_more)"
    kill "$idle_pid"
    stop_relay
}

all_are_connected() {
    (($(ss -Htn state established "sport = :$RELAY_PORT" | wc -l) >= large_idle))
}
