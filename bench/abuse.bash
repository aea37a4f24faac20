# shellcheck disable=SC2154 # bench/run sets what is not set here
# The abuse part of bench/run: what strangers do to the waiting times of others. Sourced by it.
#
# One client asks, on a new TLS connection each time, alone and beside connections that cost the server what they can,
# in turns (bench/abuse.cpp). Each connection of a flood asks again 20 ms after it was answered, as it would over a
# network: what is measured is what the server does for it, and not that client, flood and server share these cores.
# Both percentiles count, as ratio to those of the quiet time of the same run. RSS is that of the server: before all, before
# the last round's flood, and after it; the last two are to be the same.
abuse() {
    make_abuse_files
    echo
    echo "Abuse: one client beside a flood, medians of $abuse_rounds rounds of $abuse_seconds s alone and beside it"
    echo "goal: p99 under 2x, RSS flat"
    printf '%-44s %9s %9s %9s %9s %8s %8s %10s %7s %8s %8s %8s\n' flood "p50 ms" "p99 ms" "p50 ms" "p99 ms" p50 p99 \
        "answers/s" mostly "RSS MiB" before after
    abuse_est
    abuse_brski
    abuse_teap
    abuse_ca
}

# What strangers send: CSRs with a wrong signature and with large keys, a voucher-request, certificates of no manufacturer.
make_abuse_files() {
    make_pki abuse
    make_registrar_tls abuse
    mkdir -p abuse/masa
    cp abuse/maker.pem abuse/masa/vendor.pem
    cp abuse/maker.key abuse/masa/vendor.key
    # yescrypt as mkpasswd(1) makes it; the user is one of the two that the flood names.
    # shellcheck disable=SC2016
    echo 'swan:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0:device0007.iot.domain.com' >abuse/users
    touch abuse/acct.json
    make_csr device0001.iot.domain.com abuse/csr
    openssl base64 -d -in abuse/csr -out abuse/csr.der
    head -c -1 abuse/csr.der >abuse/wrong.der
    printf '\x55' >>abuse/wrong.der
    openssl base64 -in abuse/wrong.der -out abuse/wrong
    openssl req -new -newkey rsa:4096 -nodes -keyout abuse/large.key -subj / -addext subjectAltName=DNS:device0001.iot.domain.com \
        -outform DER 2>/dev/null | openssl base64 >abuse/large
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout abuse/strange.key -out abuse/strange.pem \
        -subj /O=Maker/serialNumber=device0001 -days 3 2>/dev/null
    brski-pledge sign-request --idevid abuse/device0001.pem --key abuse/device0001.key --registrar-cert abuse/ra.pem -o abuse/voucher
    brski-pledge sign-request --idevid abuse/strange.pem --key abuse/strange.key --registrar-cert abuse/ra.pem -o abuse/strange.voucher
}

# abuse_relay FUNCTION ARGUMENT...: its configuration by that function, with an issuer that does nothing.
abuse_relay() {
    unset RELAY_PORT RELAY_ADMIN_PORT
    ACCOUNT=acct.json CA_ROOT=$PWD/abuse/tls-root.pem RELAY_DNS='update = ""' "$@"
    sed -i 's|^account = .*|issuer = ["/bin/false"]|; /^update = \|^tsig_key = /d' abuse/relay.toml
    rm -f abuse/relay.db*
    start_relay abuse
    server=(--port "$RELAY_PORT" --pid "$RELAY_PID" --ca abuse/tls-root.pem)
}

abuse_est() {
    local csr=(--post /.well-known/est/simpleenroll --type application/pkcs10)
    abuse_relay write_relay_toml abuse
    abuse_row "32 connections with wrong passwords" basic 32
    abuse_row "8 connections that are closed at once" handshake 8
    abuse_row "8: CSRs with wrong signatures, no certificate" post 8 "${csr[@]}" --body abuse/wrong
    abuse_row "8: the same, of a known device" post 8 "${csr[@]}" --body abuse/wrong --cert abuse/device0001.pem --key abuse/device0001.key
    abuse_row "8: CSRs with RSA-4096, of a stranger" post 8 "${csr[@]}" --body abuse/large --cert abuse/strange.pem --key abuse/strange.key
    stop_relay
    sed -i '/clients.basic/,/^file/d' abuse/relay.toml
    start_relay abuse
    server=(--port "$RELAY_PORT" --pid "$RELAY_PID" --ca abuse/tls-root.pem)
    abuse_row "32: wrong passwords, without a user file" basic 32
    stop_relay
}

abuse_brski() {
    local request=(--post /.well-known/brski/requestvoucher --type application/voucher-cms+json)
    unset MASA_PORT
    start_masa "$PWD/abuse/masa"
    abuse_relay write_brski abuse "$PWD/abuse/masa" 'wait = "1s"'
    abuse_row "8: voucher-requests of no manufacturer" post 8 "${request[@]}" --body abuse/strange.voucher \
        --cert abuse/strange.pem --key abuse/strange.key
    abuse_row "8: voucher-requests signed by another device" post 8 "${request[@]}" --body abuse/strange.voucher \
        --cert abuse/device0001.pem --key abuse/device0001.key
    stop_relay
    server=(--port "$MASA_PORT" --pid "$MASA_PID" --ca abuse/masa/vendor.pem --ask /.well-known/brski/requestvoucher --status 405)
    abuse_row "8: voucher-requests of no registrar at the MASA" post 8 "${request[@]}" --body abuse/voucher
    kill "$MASA_PID"
}

abuse_teap() {
    unset RADIUS_PORT TEAP_ADMIN_PORT
    ACCOUNT=acct.json CA_ROOT=$PWD/abuse/tls-root.pem write_teap_toml abuse
    sed -i 's|^account = .*|issuer = ["/bin/false"]|; /^update = \|^tsig_key = /d' abuse/teap.toml
    start_teap abuse
    server=(--port "$RADIUS_PORT" --pid "$TEAP_PID")
    abuse_row "8 NAS with a wrong secret" datagrams 8
    abuse_row "8 devices that begin and say no more" radius 8
    kill "$TEAP_PID"
}

abuse_ca() {
    local port
    start_ca "$folder/ca-abuse"
    port=${CA_DIRECTORY##*:}
    server=(--port "${port%%/*}" --pid "$CA_PID" --ca "$CA_FILE" --ask /directory)
    abuse_row "8 connections with RSA-8192 newAccount" account 8
    kill "$CA_PID"
}

# abuse_row LABEL FLOOD CONNECTIONS [OPTION...]
abuse_row() {
    local quiet_50 quiet_99 beside_50 beside_99 answers status first before after
    read -r quiet_50 quiet_99 beside_50 beside_99 answers status first before after < <(bench-abuse "$2" "${server[@]}" \
        --connections "$3" --rounds "$abuse_rounds" --seconds "$abuse_seconds" "${@:4}")
    printf '%-44s %9s %9s %9s %9s %8s %8s %10s %7s %8s %8s %8s\n' "$1" "$quiet_50" "$quiet_99" "$beside_50" "$beside_99" \
        "$(ratio "$beside_50" "$quiet_50")" "$(ratio "$beside_99" "$quiet_99")" "$answers" "$status" "$first" "$before" "$after"
}
