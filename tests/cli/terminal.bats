#!/usr/bin/env bats
# What a person at a terminal sees of a wait: for what, since when, until when; and nothing of it in a pipe.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
}

teardown() {
    stop_all
}

at_terminal() { # COMMAND: its screen, carriage returns as line ends
    script -qec "$1" /dev/null </dev/null | tr '\r' '\n'
}

@test "progress at a terminal: the CA's validation, and none of it in a pipe" {
    set_fault challengeDelay=4
    at_terminal "acme-preauth run --dns-update $DNS_SERVER --tsig-key $TSIG_KEY --timeout 60s -o a.json domain.com" >screen
    grep -E 'waiting for the CA to validate domain\.com: [0-9]+ s so far, for [0-9]+ s more at most' screen
    acme-preauth run --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o b.json other.domain.com 2>err
    run grep waiting err
    [ "$status" = 1 ]
}

@test "progress at a terminal: a hook, a DNS server and a CA that do not answer" {
    local seconds='[0-9]+ s so far'
    printf '#!/bin/sh\nsleep 5\n' >slow.sh
    chmod +x slow.sh
    at_terminal "acme-preauth run --hook ./slow.sh --no-dns-check --timeout 60s domain.com" >screen || true
    grep -E "waiting for .*slow\.sh: $seconds, for .* more at most" screen
    acme-preauth new domain.com -o 1.json
    python3 -c 'import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(600)' >silent &
    STARTED+=($!)
    wait_for 60 test -s silent
    at_terminal "acme-preauth publish --dns-update 127.0.0.1:$(cat silent) <1.json" >screen || true
    grep -E "waiting for DNS server 127\.0\.0\.1:[0-9]+: $seconds" screen
    kill -STOP "$CA_PID"
    at_terminal "acme-account show --timeout 5s" >screen || true
    kill -CONT "$CA_PID"
    grep -E "waiting for an answer from 127\.0\.0\.1:[0-9]+: $seconds, for .* more at most" screen
}

@test "progress at a terminal: an EST server and a RADIUS server that wait for the CA before they answer" {
    PKI=$PWD/pki
    make_pki "$PKI"
    export ACCOUNT=$PWD/acct.json RELAY_DOMAIN=domain.com
    write_relay_toml "$PKI" 'wait = "1m"'
    sed -i 's/^request = .*/request = "1m"/' "$PKI/relay.toml"
    write_teap_toml "$PKI"
    start_relay "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"
    set_fault processing=5
    local device="--cert $PKI/device0001.pem --key $PKI/device0001.key" seen='[0-9]+ s so far, for .* more at most'
    at_terminal "est-enroll run --server https://127.0.0.1:$RELAY_PORT --explicit-ta $PKI/tls-root.pem $device \
        --new-key auto --key-out dev.key -o dev.pem" >screen
    grep -E "waiting for an answer from 127\.0\.0\.1:$RELAY_PORT: $seen" screen
    kill "$RELAY_PID" # one relay at a time has the database
    wait "$RELAY_PID"
    start_teap "$PKI"
    at_terminal "teap-enroll --radius 127.0.0.1:$RADIUS_PORT --secret-file $PKI/secret --ca-file $PKI/tls-root.pem $device \
        --new-key ec:P-256 --key-out teap.key -o teap.pem" >screen
    grep -E "waiting for an answer from 127\.0\.0\.1:$RADIUS_PORT: $seen" screen
    openssl x509 -in teap.pem -noout
}

# drawn COLUMNS COMMAND: its progress lines in a terminal that wide.
drawn() {
    at_terminal "stty cols $1; $2" | sed -n 's/\x1b\[K//g; /^waiting for /p'
}

@test "FLD-U3: progress stays on one line of 60 and 80 columns, is drawn once a second, and names the name, not a URL" {
    local columns name=a-host-with-a-name-that-is-longer-than-others.sub.domain.com
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o 1.json domain.com
    csr-build --new-key ec:P-256 --key-out k.pem --dns "$name" --dns "b.$name" -o two.csr
    csr-build --key k.pem --dns c.domain.com -o one.csr
    set_fault processing=4
    for columns in 60 80; do
        drawn "$columns" "acme-order run -o two.pem --ancestor-domain domain.com <two.csr" >"two.$columns"
        cat "two.$columns"
        grep -E '^waiting for the CA to issue for a-host.*: [1-9][0-9]* s so far' "two.$columns"
        [ "$(wc -L <"two.$columns")" -lt "$columns" ]
        [ -z "$(grep 'the CA to issue' "two.$columns" | uniq -d)" ]
        [ -z "$(grep 'the CA to issue' "two.$columns" | grep -o '[0-9]* s so far' | uniq -d)" ]
        ! grep -E 'https?:|/order/' "two.$columns" || false
    done
    drawn 200 "acme-order run -o two.pem --ancestor-domain domain.com <two.csr" >wide
    grep -E "^waiting for the CA to issue for $name and 1 more name: [0-9]+ s so far, for .* more at most$" wide
    drawn 100 "acme-order run -o one.pem --ancestor-domain domain.com <one.csr" >one
    grep -E '^waiting for the CA to issue for c\.domain\.com: [0-9]+ s so far, for .* more at most$' one
}
