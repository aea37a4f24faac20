#!/usr/bin/env bats
# teap-relay against a peer that is not ours (tests/lib/teap_peer.py: Python's TLS), and as the second of two servers.
# eapol_test of Debian has no TEAP.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap
load ../lib/chains

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    make_idevid "$PKI" pledgeid
    echo pledgeid >>"$PKI/devices.csv"
    export RELAY_DOMAIN=iot.domain.com
}

teardown() {
    stop_all
}

# lone_relay: teap-relay with a program as its issuer.
lone_relay() {
    make_issuer "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    start_teap "$PKI"
}

# other_peer DEVICE VERSION WHAT...: "-" for a peer without certificate.
other_peer() {
    local chain=- key=-
    [ "$1" = - ] || chain=$PKI/$1.pem key=$PKI/$1.key
    "$ROOT/tests/lib/teap_peer.py" "$RADIUS_PORT" radius-secret "$PKI/tls-root.pem" "$chain" "$key" "${@:2}"
}

@test "TEAP-21, FLD-R11: a peer that offers a session gets a full handshake and phase 2; the server gives no ticket" {
    lone_relay
    local version
    for version in 1.2 1.3; do
        : >"$TEAP_LOG"
        other_peer pledgeid "$version" plain again foreign "$PKI/ra.pem" "$PKI/ra.key" >heard
        cat heard
        [ "$(grep -c '^resumed=no ticket=no {12=[0-9a-f]*, 3=0001} reject$' heard)" = 3 ]
        # The certificate was asked for and shown each time.
        wait_for 10 eval '[ "$(jq "select(.event == \"teap\") | .client" "$TEAP_LOG" | grep -c serialNumber=pledgeid)" = 3 ]'
    done
}

@test "FLD-R11, TEAP-02a: an inner method that the server did not ask for is Error 2002, a peer without a certificate 1019, and never a login" {
    lone_relay
    local version
    for version in 1.2 1.3; do
        other_peer pledgeid "$version" eap password >heard
        cat heard
        # Error-TLV 2002, Result failure
        [ "$(grep -c '{5=000007d2, 3=0002} reject$' heard)" = 2 ]
        other_peer - "$version" plain eap >heard
        cat heard
        [ "$(grep -c '^resumed=no ticket=no {5=000003fb, 3=0002} ' heard)" = 2 ]
        ! grep -v ' reject$' heard || return 1
    done
    grep -q 'EAP-Payload was not requested' "$TEAP_LOG"
    grep -q 'Basic-Password-Auth-Resp was not requested' "$TEAP_LOG"
    ! grep '"decision":"accept"' "$TEAP_LOG" || return 1
}

reload_teap() { # DIR
    local before
    before=$(grep -c '"msg":"reloaded"' "$1/teap.log" || true)
    kill -HUP "$TEAP_PID"
    wait_for 10 eval "[ \$(grep -c '\"msg\":\"reloaded\"' '$1/teap.log') -gt $before ]"
}

@test "FLD-R7: a second server with its own database takes the private CA's certificates by path and CRL, and none that it revoked" {
    start_authority
    write_teap_toml "$PKI"
    start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
    peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    cp dev.pem "$PKI/ldevid.pem"
    cp dev.key "$PKI/ldevid.key"
    acme-preauth run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" --account "$ACCOUNT" -o web.json www.domain.com
    csr-build --new-key ec:P-256 --key-out "$PKI/web.key" --dns www.domain.com -o web.csr
    acme-order run -q --account "$ACCOUNT" -o "$PKI/web.pem" <web.csr

    # The switch turns to the second server, which knows nothing of the first.
    mkdir second
    cp "$PKI"/*.pem "$PKI"/*.key "$PKI/devices.csv" second
    unset RADIUS_PORT TEAP_ADMIN_PORT
    write_teap_toml second
    start_teap second
    run peer ldevid --expect accept
    [ "$status" = 77 ]
    [[ $output == *1020* ]]

    printf '[clients.issued]\ntrust = ["%s"]\n' "$CA_ROOT" >>second/teap.toml
    run teap-relay check --config second/teap.toml
    [ "$status" = 78 ]
    [[ $output == *'trust'*'requires crl'* ]]
    echo 'crl = ["ca.crl"]' >>second/teap.toml
    fetch_crl() { curl -sf --cacert "$CA_FILE" "${CA_DIRECTORY%/directory}/crl" -o second/ca.crl; }
    fetch_crl
    teap-relay check --config second/teap.toml >found
    grep 'warn  clients.issued: whoever has a certificate of .* for a name in a domain of this relay is let in' found
    reload_teap second
    peer ldevid --expect accept
    jq -es 'map(select(.event == "teap")) | last | .decision == "accept" and .device == "name:pledgeid.iot.domain.com"' "$TEAP_LOG"
    # A certificate of that CA for a name outside of the relay's domain is nobody's here.
    run peer web --expect accept
    [ "$status" = 77 ]
    [[ $output == *1020* ]]
    grep -q 'not for a name of a device' "$TEAP_LOG"

    # It renews there, and is a device of that relay then.
    peer ldevid --new-key ec:P-256 --key-out next.key --request --dns pledgeid.iot.domain.com -o next.pem
    [ "$(requests finalize)" = 3 ]
    cp next.pem "$PKI/next.pem"
    cp next.key "$PKI/next.key"
    peer next --expect accept

    acme-order revoke --account "$ACCOUNT" -q -o revoked.json <dev.pem
    fetch_crl
    reload_teap second
    run peer ldevid --expect accept
    [ "$status" = 77 ]
    [[ $output == *1020* ]]
    grep -q 'the certificate is revoked since' "$TEAP_LOG"
    peer next --expect accept

    # Without a current CRL nobody's certificate counts, unless that is configured.
    sed -i 's|^crl = .*|crl = ["none.crl"]|' second/teap.toml
    openssl ecparam -genkey -name prime256v1 -noout -out other.key
    openssl req -x509 -key other.key -subj /CN=other -days 1 -out other.pem 2>/dev/null
    make_crl second/none.crl other -1h
    reload_teap second
    run peer next --expect accept
    [ "$status" != 0 ]
}
