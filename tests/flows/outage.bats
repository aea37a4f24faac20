#!/usr/bin/env bats
# A CA that was away, or has more to do than it can: who has a turn, and when.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    local name
    for name in a b c d x y; do
        make_idevid "$PKI" "$name"
        echo "$name" >>"$PKI/devices.csv"
        make_csr "$name.iot.domain.com" "$name.csr"
    done
    start_authority
}

teardown() {
    stop_all
}

asked() { # DEVICE OPERATION CSR
    est "$1" "$2" -H 'Content-Type: application/pkcs10' --data-binary "@$3"
}

told_to_wait() { # seconds that the last reply named
    sed -n 's/^[Rr]etry-[Aa]fter: \([0-9]*\).*/\1/p' "$PKI/headers"
}

@test "SCL-22: the CA says 503 with Retry-After: no other device's order goes there before that time, and all go on then" {
    write_relay_toml "$PKI" 'wait = "20s"' # not for what the CA said
    start_relay "$PKI"
    enrol x simpleenroll x.csr # the domain is authorized
    [ "$STATUS" = 200 ]
    set_fault retryAfter=12
    set_fault unavailable=newOrder:1
    asked a simpleenroll a.csr
    [ "$STATUS" = 503 ]
    local told
    told=$(told_to_wait)
    [ "$told" -ge 12 ] && [ "$told" -le 16 ]
    [ "$(requests newOrder)" = 2 ]
    # The CA would answer now. It was not asked for that.
    asked b simpleenroll b.csr
    [ "$STATUS" = 503 ]
    [ "$(told_to_wait)" -le 18 ]
    [ "$(requests newOrder)" = 2 ]
    wait_for 40 is_served b
    wait_for 20 is_served a
    [ "$(requests newOrder)" = 4 ]
}

is_served() {
    asked "$1" simpleenroll "$1.csr"
    [ "$STATUS" = 200 ]
}

@test "SCL-22: while the CA is slow, new devices have their turn first, then the renewals whose certificates end first" {
    RELAY_LIMITS='requests_in_flight = 1' write_relay_toml "$PKI" 'wait = "0s"' 'retry_after = "1s"'
    start_relay "$PKI"
    local name
    for name in a b c; do
        enrol "$name" simpleenroll "$name.csr"
        [ "$STATUS" = 200 ]
        openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/has-$name.pem"
        cp "$name.csr.key" "$PKI/has-$name.key"
        sleep 1.1 # their ends differ
    done
    for name in c b a; do make_csr "$name.iot.domain.com" "$name.next"; done
    : >"$PKI/relay.log"
    set_fault slow=newOrder:15:1
    for name in x y; do asked "$name" simpleenroll "$name.csr"; done
    for name in c b a; do
        asked "has-$name" simplereenroll "$name.next"
        [ "$STATUS" = 202 ]
    done
    asked d simpleenroll d.csr
    [ "$STATUS" = 202 ]
    wait_for 40 all_placed
    placed | xargs
    [ "$(placed | xargs)" = 'x y d a b c' ]
}

# placed: the names of the orders, as they came to the CA.
placed() {
    jq -rs 'map(select(.event == "decision" and .id)) as $decisions | .[] | select(.event == "order" and .level == "info") |
        .id as $id | ($decisions | map(select(.id == $id)) | first).identifiers[0]' "$PKI/relay.log" | cut -d. -f1
}
all_placed() { [ "$(placed | wc -l)" = 6 ]; }
