# shellcheck disable=SC2154 # bench/run sets what is not set here
# The EST part of bench/run: est-relay beside what TLS allows, in the same rounds. Sourced by it.
#
# Columns: "limit/s" full mutual handshakes a second in memory, client's and server's side, on as many threads as there
# are clients (at most one a core); "/limit" our rate as a share of it; "CPU ms" of the relay for one request, the
# issuer's thread left out; "TLS ms" the server's CPU for one handshake in memory; "TLS/CPU" the share that the
# handshake alone has in what the relay takes, which does not depend on how busy the machine is.

# start_bench_relay LINE...: bench-relay with the issuer that answers at once; LINEs go into [limits].
start_bench_relay() {
    rm -f pki/relay.db*
    ACCOUNT=acct.json CA_ROOT=$PWD/ca-est/root.pem RELAY_DNS='update = ""' RELAY_LIMITS=$(printf '%s\n' "$@") \
        write_relay_toml pki 'wait = "2s"'
    sed -i 's/^inventory = .*/accept_any = true/' pki/relay.toml
    if grep -q '^postgresql' pki/relay.toml; then est-relay store init --config pki/relay.toml >/dev/null; fi
    bench-relay pki/relay.toml ca-est >relay.ready 2>relay.log &
    RELAY_PID=$!
    STARTED+=("$RELAY_PID")
    wait_for 20 grep -q ready relay.ready
}

stop_relay() {
    kill "$RELAY_PID"
    wait "$RELAY_PID" 2>/dev/null || true
}

# est_load OPERATION CLIENTS TLS [OPTION...]: one line of bench-est.
est_load() {
    bench-est "$1" --clients "$2" --tls "$3" --port "$RELAY_PORT" --pid "$RELAY_PID" --pki pki "${@:4}"
}

# est_row OPERATION CLIENTS TLS GOAL
est_row() {
    local rate p50 p99 cpu limit tls others
    read -r rate p50 p99 cpu limit tls _ _ _ others < <(est_load "$1" "$2" "$3" --rounds "$est_rounds" \
        --requests "$est_requests")
    printf '%-14s %5s %8s %9s %8s %8s %9s %8s %7s %8s %8s  %s\n' "$1" "$3" "$2" "$rate" "$p50" "$p99" "$limit" \
        "$(ratio "$rate" "$limit")" "$cpu" "$tls" "$(ratio "$tls" "$cpu")" "$4"
    if ((others > 0)); then echo "bench/run: $others requests failed" >&2; fi
}

# disk_wait: what one synchronous write of a page takes here, in ms.
disk_wait() {
    local begin
    begin=$(date +%s%N)
    dd if=/dev/zero of=waited bs=4k count=200 oflag=dsync 2>/dev/null
    echo $((($(date +%s%N) - begin) / 200000)) | awk '{ print $1 / 1000 }'
    rm waited
}

est() {
    local clients tls alone crowded
    make_pki pki
    touch pki/acct.json
    mkdir -p ca-est
    start_bench_relay 'orders_in_total = 10000000' 'idle = "10m"'
    echo
    echo "EST: a new TLS connection for each request, mutual P-256, $est_rounds rounds of $est_requests, medians"
    printf '%-14s %5s %8s %9s %8s %8s %9s %8s %7s %8s %8s  %s\n' operation TLS clients "per s" "p50 ms" "p99 ms" \
        "limit/s" /limit "CPU ms" "TLS ms" TLS/CPU goal
    for tls in 1.2 1.3; do
        for clients in 1 4 8 16; do est_row cacerts "$clients" "$tls" "0.80x"; done
    done
    awk -v ms="$(disk_wait)" 'BEGIN {
        printf "one write that is waited for takes %.1f ms on this disk: an enrolment has two (what is intended, what came)\n", ms }'
    for tls in 1.2 1.3; do
        est_row simpleenroll 1 "$tls" "0.60x, p50 5 ms, CPU 2 ms"
        for clients in 4 8 16; do est_row simpleenroll "$clients" "$tls" "0.60x, CPU 2 ms"; done
    done

    alone=$(est_load cacerts 2 1.2 --rounds "$est_rounds" --requests "$est_requests")
    crowded=$(est_load cacerts 2 1.2 --rounds "$est_rounds" --requests "$est_requests" --idle 300)
    echo
    awk -v a="$alone" -v c="$crowded" 'BEGIN { split(a, x); split(c, y)
        printf "300 idle TLS clients: /cacerts of 2 others p50 %s -> %s ms, p99 %s -> %s ms (goal: a few ms more)\n",
            x[2], y[2], x[3], y[3] }'

    stop_relay
    start_bench_relay 'orders_in_total = 10000000'
    est_load simpleenroll 4 1.2 --rounds 1 --requests 500 >/dev/null
    echo
    echo "RSS of the relay over $est_growth enrolments of as many devices (goal: 17 MiB, and no growth)"
    printf '%8s enrolments: %6s MiB\n' 500 "$(rss_of "$RELAY_PID")"
    for clients in 1 2 3 4; do
        est_load simpleenroll 8 1.2 --rounds 1 --requests $((est_growth / 4)) >/dev/null
        printf '%8s enrolments: %6s MiB\n' $((500 + clients * est_growth / 4)) "$(rss_of "$RELAY_PID")"
    done

    est_one_enrolment
    stop_relay
}

# One enrolment by est-enroll, and by curl and openssl doing the same.
est_one_enrolment() {
    local wall cpu rss names=(est-enroll "curl + openssl") i=0
    make_idevid pki sn-0001
    csr-build --new-key ec:P-256 --key-out pki/one.key --dns sn-0001.iot.domain.com -o pki/one.csr
    cat >one-ours <<END
#!/bin/sh
exec est-enroll simpleenroll -q --server https://127.0.0.1:$RELAY_PORT --explicit-ta pki/tls-root.pem \\
    --cert pki/sn-0001.pem --key pki/sn-0001.key -o one.pem <pki/one.csr
END
    cat >one-theirs <<END
#!/bin/sh
set -e
openssl req -in pki/one.csr -outform der | openssl base64 >one.b64
curl -sf --cacert pki/tls-root.pem --cert pki/sn-0001.pem --key pki/sn-0001.key --data-binary @one.b64 \\
    -H 'Content-Type: application/pkcs10' https://127.0.0.1:$RELAY_PORT/.well-known/est/simpleenroll >one.p7
openssl base64 -d -in one.p7 | openssl pkcs7 -inform der -print_certs -out one.pem
END
    chmod +x one-ours one-theirs
    ./one-ours && ./one-theirs
    echo
    echo "One enrolment (goal: est-enroll 0.075 s on a quiet machine, half of libest's 0.15)"
    printf '%-16s %8s %8s %8s\n' client "wall s" "CPU s" "RSS MiB"
    while read -r wall cpu rss _; do
        printf '%-16s %8s %8s %8s\n' "${names[i]}" "$wall" "$cpu" "$rss"
        i=$((i + 1))
    done < <(bench-measure "$runs" -- ./one-ours -- ./one-theirs)
}

# 10,000 enrolments on a CA that takes two minutes: est-relay as it is, with acme-ca behind it.
pending() {
    local before after cpu_before cpu_after begin answered rate _
    start_knot "$folder/dns-est" domain.com
    start_ca "$folder/ca-slow" --dns-server "$DNS_SERVER" --fault "processing=$est_slow"
    mkdir -p slow
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --account slow/acct.json >/dev/null
    make_pki slow
    unset RELAY_PORT RELAY_ADMIN_PORT
    ACCOUNT=acct.json RELAY_LIMITS=$'orders_in_total = 10000000\nrenewal_reserve = 0' write_relay_toml slow 'wait = "0s"'
    sed -i 's/^inventory = .*/accept_any = true/' slow/relay.toml
    start_relay slow
    bench-est simpleenroll --clients 1 --rounds 1 --requests 20 --port "$RELAY_PORT" --pid "$RELAY_PID" --pki slow >/dev/null
    sleep 3
    before=$(rss_of "$RELAY_PID")
    echo
    echo "$est_pending enrolments, each on a CA that takes $est_slow s (goal: kB for each, polling flat, none lost)"
    read -r rate _ < <(bench-est simpleenroll --clients 8 --rounds 1 --requests "$est_pending" --port "$RELAY_PORT" \
        --pid "$RELAY_PID" --pki slow --keep devices)
    wait_for 300 everything_placed
    after=$(rss_of "$RELAY_PID")
    cpu_before=$(cpu_of "$RELAY_PID")
    begin=$(date +%s.%N)
    sleep 20
    cpu_after=$(cpu_of "$RELAY_PID")
    awk -v r="$rate" -v a="$after" -v b="$before" -v n="$est_pending" -v c="$cpu_after" -v d="$cpu_before" 'BEGIN {
        printf "answered 202: %s per s; RSS %s -> %s MiB, %.1f kB an order; CPU while waiting %.1f %% of a core\n",
            r, b, a, (a - b) * 1024 / n, (c - d) / 20 * 100 }'
    wait_for $((est_slow + 600)) nothing_pending
    echo "all had their end $(awk -v a="$(date +%s.%N)" -v b="$begin" 'BEGIN { printf "%.0f", a - b }') s later"
    read -r _ _ _ _ _ _ _ answered _ < <(bench-est simpleenroll --clients 8 --port "$RELAY_PORT" --pid "$RELAY_PID" \
        --pki slow --again devices)
    echo "certificates told when asked again: $answered of $est_pending"
    stop_relay
}

orders_in() {
    curl -s "$RELAY_ADMIN/status" | jq ".orders.$1 // 0"
}
everything_placed() {
    [[ $(orders_in intent) == 0 ]]
}
nothing_pending() {
    [[ $(orders_in intent) == 0 && $(orders_in placed) == 0 ]]
}
