# shellcheck disable=SC2154 # bench/run sets what is not set here
# The abuse part of bench/run: what strangers do to the waiting times of others. Sourced by it.
#
# One client asks, on a new TLS connection each time, alone and beside connections that cost the server what they can,
# in turns (bench/abuse.cpp). Each connection of a flood asks again 20 ms after it was answered, as it would over a
# network: what is measured is what the server does for it, and not that client, flood and server share these cores.
# Both percentiles count, as ratio to those of the quiet time of the same run.
abuse() {
    local port
    make_pki abuse
    # yescrypt as mkpasswd(1) makes it; the user is one of the two that the flood names.
    # shellcheck disable=SC2016
    echo 'swan:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0:device0007.iot.domain.com' >abuse/users
    touch abuse/acct.json
    unset RELAY_PORT RELAY_ADMIN_PORT
    ACCOUNT=acct.json CA_ROOT=$PWD/abuse/tls-root.pem RELAY_DNS='update = ""' write_relay_toml abuse
    sed -i 's|^account = .*|issuer = ["/bin/false"]|; /^update = /d' abuse/relay.toml
    echo
    echo "Abuse: one client beside a flood, medians of $abuse_rounds rounds of $abuse_seconds s alone and beside it"
    echo "goal: p99 under 2x"
    printf '%-44s %9s %9s %9s %9s %8s %8s %10s %7s\n' flood "p50 ms" "p99 ms" "p50 ms" "p99 ms" p50 p99 "answers/s" mostly
    start_relay abuse
    abuse_row "32 connections with wrong passwords" basic "$RELAY_PORT" abuse/tls-root.pem 32
    stop_relay
    sed -i '/clients.basic/,/^file/d' abuse/relay.toml
    start_relay abuse
    abuse_row "the same, without a user file" basic "$RELAY_PORT" abuse/tls-root.pem 32
    stop_relay
    start_ca "$folder/ca-abuse"
    port=${CA_DIRECTORY##*:}
    abuse_row "8 connections with RSA-8192 newAccount" account "${port%%/*}" "$CA_FILE" 8
}

# abuse_row LABEL FLOOD PORT CA_FILE CONNECTIONS
abuse_row() {
    local quiet_50 quiet_99 beside_50 beside_99 answers status
    read -r quiet_50 quiet_99 beside_50 beside_99 answers status < <(bench-abuse "$2" --port "$3" --ca "$4" \
        --connections "$5" --rounds "$abuse_rounds" --seconds "$abuse_seconds")
    printf '%-44s %9s %9s %9s %9s %8s %8s %10s %7s\n' "$1" "$quiet_50" "$quiet_99" "$beside_50" "$beside_99" \
        "$(ratio "$beside_50" "$quiet_50")" "$(ratio "$beside_99" "$quiet_99")" "$answers" "$status"
}
