# teap-relay on loopback with devices of a test manufacturer. Needs common.bash, ca.bash, relay.bash and a running CA.

# write_teap_toml DIR [LINE...]: LINEs go into [teap]. TEAP_CLIENT and TEAP_ACCEPT may hold further tables.
write_teap_toml() {
    local dir=$1
    shift
    : "${RADIUS_PORT:=$(free_port)}" "${TEAP_ADMIN_PORT:=$(free_port)}"
    local lines IFS=$'\n'
    lines=$*
    (umask 077 && echo radius-secret >"$dir/secret")
    cat >"$dir/teap.toml" <<END
[listen]
radius = "127.0.0.1:$RADIUS_PORT"
admin = "127.0.0.1:$TEAP_ADMIN_PORT"
[tls]
certificate = "ra.pem"
[clients.idevid]
trust = ["maker.pem"]
inventory = "devices.csv"
[acme]
account = "$ACCOUNT"
[[domain]]
name = "${RELAY_DOMAIN:-domain.com}"
${RELAY_DOMAIN_LINES:-}
[dns]
update = "${DNS_SERVER:-}"
tsig_key = "${TSIG_KEY:-}"
[cacerts]
root = "$CA_ROOT"
[[client]]
address = "127.0.0.1"
secret_file = "secret"
${TEAP_ACCEPT:-}
[limits]
${RELAY_LIMITS:-}
[teap]
$lines
END
}

# start_teap DIR: sets TEAP_PID, TEAP_ADMIN, TEAP_LOG. TEAP_TRACE may be a file for the messages.
start_teap() {
    local dir=$1
    : >"$dir/teap.ready"
    on_postgresql "$dir/teap.toml" teap-relay
    TEAP_LOG=$dir/teap.log
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS teap-relay serve --config "$dir/teap.toml" --log-format json -vv \
        ${TEAP_TRACE:+--trace "$TEAP_TRACE"} >"$dir/teap.ready" 2>>"$TEAP_LOG" &
    TEAP_PID=$!
    STARTED+=("$TEAP_PID")
    if ! wait_for 20 contains "$dir/teap.ready" radius; then
        cat "$TEAP_LOG" >&2
        return 1
    fi
    TEAP_ADMIN="http://127.0.0.1:$TEAP_ADMIN_PORT"
    export TEAP_ADMIN
}

# peer DEVICE [OPTION...]: teap-enroll with that device's certificate.
peer() {
    local device=$1
    shift
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/$device.pem" --key "$PKI/$device.key" "$@"
}
