#!/usr/bin/env bats
# RADIUS over TLS, as README says: radsecproxy in front of teap-relay, and another one before the switch.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    export RELAY_DOMAIN=domain.com
    start_authority
    write_teap_toml "$PKI"
    start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
}

teardown() {
    stop_all
}

# start_proxy NAME PROTOCOL PORT LINE...: radsecproxy NAME, which listens at PORT; LINEs say who asks and who is asked.
start_proxy() {
    local name=$1 protocol=$2 port=$3
    shift 3
    cat >"$name.conf" <<END
Listen$protocol 127.0.0.1:$port
LogLevel 2
LogDestination file://$PWD/$name.log
tls default {
    CACertificateFile $PKI/tls-root.pem
    CertificateFile $PKI/ra.pem
    CertificateKeyFile $PKI/ra.key
}
$(printf '%s\n' "$@")
realm * {
    server next
}
END
    radsecproxy -f -i "$PWD/$name.pid" -c "$PWD/$name.conf" 3>&- 2>"$name.err" &
    STARTED+=("$!")
    wait_for 20 bash -c "ss -Hltun 'sport = :$port' | grep -q ." || { cat "$name.log" >&2 && return 1; }
}

@test "RAD-03a, RAD-05a, RAD-08: a device enrols through radsecproxy, over TLS, which asks by Status-Server whether the relay lives" {
    local near far
    near=$(free_port)
    far=$(free_port)
    start_proxy far TLS "$far" "client near {" "    host 127.0.0.1" "    type tls" "    secret radsec" "}" \
        "server next {" "    host 127.0.0.1" "    port $RADIUS_PORT" "    type udp" "    secret radius-secret" \
        "    statusServer on" "}"
    start_proxy near UDP "$near" "client switch {" "    host 127.0.0.1" "    type udp" "    secret nas-secret" "}" \
        "server next {" "    host 127.0.0.1" "    port $far" "    type tls" "    secret radsec" "}"
    (umask 077 && echo nas-secret >nas.secret)
    through() { # DEVICE [OPTION...]
        teap-enroll --radius "127.0.0.1:$near" --secret-file nas.secret --ca-file "$PKI/tls-root.pem" \
            --cert "$PKI/$1.pem" --key "$PKI/$1.key" "${@:2}"
    }
    through device0001 --new-key ec:P-256 --key-out dev.key -o dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -F DNS:device0001.domain.com
    cp dev.pem "$PKI/ldevid.pem"
    cp dev.key "$PKI/ldevid.key"
    through ldevid --expect accept
    run through stranger9999 --new-key ec:P-256 --key-out no.key
    [ "$status" = 77 ]
    asked() { curl -sf "$TEAP_ADMIN/metrics" | grep -q '^acmetool_teap_status_server_total [1-9]'; }
    wait_for 60 asked
}
