# shellcheck disable=SC2154 # bench/run sets what is not set here
# The BRSKI part of bench/run: est-relay as it is, with brski-masa behind it. Sourced by bench/run.
#
# Each request is another device's first one, on a new mutual TLS connection, and ends when its voucher came through
# the registrar from the MASA and the MASA's audit log was found good: two requests to the MASA, and what is told is
# on disk at both.
brski() {
    local clients
    make_brski
    start_masa "$PWD/masa"
    write_bench_brski 30s
    start_relay brski
    echo
    echo "BRSKI: requestvoucher, $brski_requests for each number of clients, $brski_many at 16"
    echo "goals: >= 219 per s at 1 client (3x the peer's 73), CPU <= 4 ms in the registrar, no failures"
    printf '%8s %9s %8s %8s %13s %9s %8s\n' clients "per s" "p50 ms" "p99 ms" "registrar ms" "MASA ms" failed
    brski_row 1 "$brski_requests"
    for clients in 4 16; do brski_row "$clients" "$brski_requests"; done
    brski_row 16 "$brski_many"
    stop_relay
}

# make_brski: a manufacturer and its MASA's keys, and the registrar's own.
make_brski() {
    make_pki brski
    make_registrar_tls brski
    mkdir -p masa
    cp brski/maker.pem masa/vendor.pem
    cp brski/maker.key masa/vendor.key
    touch brski/acct.json
}

# write_bench_brski WAIT: the registrar's configuration, for the MASA that was started; it issues nothing.
write_bench_brski() {
    unset RELAY_PORT RELAY_ADMIN_PORT
    ACCOUNT=none CA_ROOT=$PWD/brski/tls-root.pem write_brski brski "$PWD/masa" "wait = \"$1\""
    sed -i "s|^account = .*|issuer = [\"/bin/false\"]|; /^update = \|^tsig_key = /d; s|^masa_hosts = .*|masa_url = \"$MASA\"|
        s|^inventory = .*|accept_any = true|" brski/relay.toml
}

# brski_row CLIENTS REQUESTS
brski_row() {
    local rate p50 p99 cpu good others before after _
    before=$(cpu_of "$MASA_PID")
    read -r rate p50 p99 cpu _ _ _ good _ others < <(bench-est requestvoucher --clients "$1" --rounds 1 --requests "$2" \
        --port "$RELAY_PORT" --pid "$RELAY_PID" --pki brski)
    after=$(cpu_of "$MASA_PID")
    printf '%8s %9s %8s %8s %13s %9s %8s\n' "$1" "$rate" "$p50" "$p99" "$cpu" \
        "$(awk -v a="$after" -v b="$before" -v n="$2" 'BEGIN { printf "%.2f", (a - b) * 1000 / n }')" $(($2 - good))
    if ((others > 0)); then echo "bench/run: $others voucher-requests failed" >&2; fi
}
