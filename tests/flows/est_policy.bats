#!/usr/bin/env bats
# What est-relay accepts of devices whose certificates, clocks and keys are not as usual. A program is its issuer.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    make_issuer "$PKI"
}

teardown() {
    stop_all
}

configure() { # LINE...: of [est]
    write_relay_toml "$PKI" "$@"
    by_program "$PKI" "$PKI/relay.toml"
}

relay() { # LINE...: of [est]
    configure "$@"
    start_relay "$PKI"
}

stop_relay() {
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
}

# said WORDS: the last decision in the log.
said() {
    grep '"event":"decision"' "$PKI/relay.log" | tail -n 1 | jq -r .text | grep -F -- "$1"
}

@test "FLD-E14: a device's chain with cross certificates enrols in either order" {
    only_sqlite
    local name order
    for name in one two; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.pem" \
            -subj "/CN=Root $name" -days 30 2>/dev/null
        echo basicConstraints=critical,CA:TRUE >ca.cnf
        openssl req -new -key "$PKI/maker.key" -subj "/O=Maker/CN=Maker CA" 2>/dev/null |
            openssl x509 -req -CA "$name.pem" -CAkey "$name.key" -days 30 -extfile ca.cnf -out "by-$name.pem" 2>/dev/null
    done
    cat "$PKI/device0001.pem" by-one.pem by-two.pem >"$PKI/forth.pem"
    cat "$PKI/device0001.pem" by-two.pem by-one.pem >"$PKI/back.pem"
    cp "$PKI/device0001.key" "$PKI/forth.key"
    cp "$PKI/device0001.key" "$PKI/back.key"
    for name in one two; do
        cp "$name.pem" "$PKI/maker.pem"
        rm -f "$PKI"/relay.db*
        relay
        for order in forth back; do
            make_csr device0001.iot.domain.com "$name-$order.csr"
            enrol "$order" simpleenroll "$name-$order.csr"
            [ "$STATUS" = 200 ]
        done
        stop_relay
    done
}

@test "FLD-E11: within its grace an expired LDevID can be renewed, and nothing else; the refusal says when it expired" {
    sed -i 's/-days 5/-days 1/' "$PKI/issue"
    relay
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/ldevid.pem"
    cp dev.csr.key "$PKI/ldevid.key"
    stop_relay
    sed -i 's/-days 1/-days 5/' "$PKI/issue"
    printf '[clients.issued]\ngrace = "3d"\n' >>"$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *"certificates can be renewed for 3 d after they expired"* ]]
    RELAY_CLOCK=+2d start_relay "$PKI"
    make_csr device0001.iot.domain.com new.csr
    enrol ldevid simpleenroll new.csr
    [ "$STATUS" = 401 ]
    said 'authenticates only its renewal'
    make_csr device0001.iot.domain.com renew.csr dev.csr.key
    enrol ldevid simplereenroll renew.csr
    [ "$STATUS" = 200 ]
    stop_relay
    sed -i '/^\[clients.issued\]/,$d' "$PKI/relay.toml"
    RELAY_CLOCK=+2d start_relay "$PKI"
    enrol ldevid simplereenroll renew.csr
    [ "$STATUS" = 401 ]
    said 'it expired at'
}

@test "FLD-E11: an IDevID that expired enrols within its manufacturer's grace, of which check warns" {
    openssl x509 -x509toreq -in "$PKI/device0001.pem" -signkey "$PKI/device0001.key" -out old.csr 2>/dev/null
    at_clock -20d openssl x509 -req -in old.csr -CA "$PKI/maker.pem" -CAkey "$PKI/maker.key" -days 10 \
        -out "$PKI/device0001.pem" 2>/dev/null
    make_csr device0001.iot.domain.com dev.csr
    relay
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 401 ]
    said "the manufacturer's certificate of this device is not valid: certificate has expired"
    said 'it expired at'
    stop_relay
    local grace
    for grace in 5d 20d; do
        configure
        sed -i '/^trust = /d' "$PKI/relay.toml"
        printf '[clients.idevid.maker]\ntrust = ["maker.pem"]\ngrace = "%s"\n' "$grace" >>"$PKI/relay.toml"
        start_relay "$PKI"
        enrol device0001 simpleenroll dev.csr
        [ "$STATUS" = "$([ "$grace" = 5d ] && echo 401 || echo 200)" ]
        stop_relay
    done
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *"devices of maker are accepted for 20 d after their certificates expired"* ]]
}

@test "FLD-E17: the refusal names the curve or the algorithm of the key" {
    relay
    refused() { # NAME OPENSSL OPTION...
        openssl req -new "${@:2}" -nodes -keyout odd.key -subj / -addext subjectAltName=DNS:device0001.iot.domain.com \
            -outform DER 2>/dev/null | openssl base64 >odd.csr
        enrol device0001 simpleenroll odd.csr
        [ "$STATUS" = 400 ]
        grep -F "a key of type $1 is not allowed" "$PKI/body"
    }
    refused ec:secp256k1 -newkey ec -pkeyopt ec_paramgen_curve:secp256k1
    refused ec:brainpoolP256r1 -newkey ec -pkeyopt ec_paramgen_curve:brainpoolP256r1
    refused rsa-pss:2048 -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048
    refused ed448 -newkey ed448
}

@test "FLD-U7: a failure that is remembered says since when and until when, in the reply and in the log" {
    printf '#!/bin/sh\nexit 77\n' >"$PKI/issue"
    relay 'remember_failure = "10m"'
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 403 ]
    run ! grep remembered "$PKI/body"
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 403 ]
    grep -E 'remembered since 20[0-9-]+T[0-9:]+Z, the next try is due at 20[0-9-]+T[0-9:]+Z' "$PKI/body"
    grep '"event":"decision"' "$PKI/relay.log" | tail -n 1 |
        jq -e '(.nextTry | fromdate) - (.rememberedSince | fromdate) == 600'
}
