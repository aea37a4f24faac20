#!/usr/bin/env bats
# Devices and servers that have only link-local addresses: a veth pair between two network namespaces.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/link
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_link
    PKI=$PWD/pki
    make_pki "$PKI"
    echo "subjectAltName=IP:fe80::1" >"$PKI/link.extensions"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/ra.key" -subj "/CN=link" 2>/dev/null |
        openssl x509 -req -CA "$PKI/tls-root.pem" -CAkey "$PKI/tls-root.key" -days 30 -out "$PKI/ra.pem" \
            -extfile "$PKI/link.extensions" 2>/dev/null
    export RELAY_DOMAIN=domain.com
    start_authority
}

teardown() {
    stop_all
    remove_link
}

@test "FLD-E8: EST over a link: https://[fe80::1%25LINK]" {
    write_relay_toml "$PKI"
    sed -i "s|^est = .*|est = \"[fe80::1%$LINK]:$RELAY_PORT\"|" "$PKI/relay.toml"
    start_relay "$PKI"
    run -0 ip netns exec "$LINK" "$(command -v est-enroll)" run --server "https://[fe80::1%25far]:$RELAY_PORT" \
        --explicit-ta "$PKI/tls-root.pem" --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" \
        --new-key ec:P-256 --key-out new.key -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q device0001.domain.com
    grep -q "fe80::2%$LINK" "$PKI/relay.log"
}

@test "FLD-E8: TEAP over a link: the NAS has a link-local address, known by zone" {
    write_teap_toml "$PKI"
    sed -i "s|^radius = .*|radius = \"[fe80::1%$LINK]:$RADIUS_PORT\"|; s|^address = .*|address = \"fe80::2%$LINK\"|" "$PKI/teap.toml"
    start_teap "$PKI"
    run -0 ip netns exec "$LINK" "$(command -v teap-enroll)" --radius "[fe80::1%far]:$RADIUS_PORT" \
        --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" --cert "$PKI/device0001.pem" \
        --key "$PKI/device0001.key" --new-key ec:P-256 --key-out new.key -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q device0001.domain.com
}
