#!/usr/bin/env bats
# Flow 4, "ACME Integration with EST", arrow by arrow with est-enroll, csr-build, est-relay, acme-ca and Knot.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    make_idevid "$PKI" pledgeid
    echo pledgeid >>"$PKI/devices.csv"
    export RELAY_DOMAIN=domain.com
    start_authority
}

teardown() {
    stop_all
}

relay() { # LINE...: of [est]
    write_relay_toml "$PKI" "$@"
    start_relay "$PKI"
    export ACMETOOL_SERVER="https://127.0.0.1:$RELAY_PORT" ACMETOOL_EXPLICIT_TA="$PKI/tls-root.pem"
    IDEVID=(--cert "$PKI/pledgeid.pem" --key "$PKI/pledgeid.key")
}

authorized() {
    grep -q '"status":"valid"' "$PKI/relay.log"
}

names_in() { # CERTIFICATE
    openssl x509 -in "$1" -noout -ext subjectAltName | tail -n 1 | xargs
}

# arrows: what the CA was asked for, in order, without nonces, the directory and repeated questions.
arrows() {
    jq -r 'select(.resource | IN("newAuthz", "challenge", "newOrder", "finalize", "certificate")) | .resource' "$CA_LOG" | xargs
}

@test "INT-12a, INT-26a, ESTS-14: every arrow: pre-authorization, csrattrs, 202, one order, 200" {
    set_fault processing=2
    relay 'wait = "0s"' 'retry_after = "1s"'

    # STEP 1
    wait_for 60 authorized
    [ "$(arrows)" = "newAuthz challenge" ]
    no_record() { [ -z "$(txt_values _acme-challenge.domain.com)" ]; }
    wait_for 10 no_record

    # STEP 2
    est-enroll cacerts -o cacerts.pem
    est-enroll csrattrs "${IDEVID[@]}" -o attrs.der
    openssl asn1parse -inform DER -in attrs.der >asn1
    est-enroll cacerts --json -o cacerts.json
    est-enroll csrattrs --json "${IDEVID[@]}" -o csrattrs.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/cacerts.json" <cacerts.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/csrattrs.json" <csrattrs.json
    grep -qa pledgeid.domain.com attrs.der
    openssl ecparam -genkey -name prime256v1 -noout -out dev.key
    csr-build --key dev.key --csrattrs attrs.der -o dev.csr
    openssl req -in dev.csr -noout -text | grep -F DNS:pledgeid.domain.com
    run bash -c 'est-enroll simpleenroll --json --cert "$0/pledgeid.pem" --key "$0/pledgeid.key" <dev.csr >deferred.json' "$PKI"
    [ "$status" = 75 ]
    jq -e '.type == "deferred" and .retryAfter >= 1' deferred.json

    # STEP 3 goes on without the client; STEP 4
    wait_for 60 grep -q '"resource":"certificate"' "$CA_LOG"
    est-enroll simpleenroll --wait --show flow "${IDEVID[@]}" -o dev.pem <dev.csr 2>drawn
    grep -A1 -F 'POST /simpleenroll' drawn | grep -F '"pledgeid.domain.com"'
    est-enroll cacerts -o cacerts.pem # the CA's intermediate is known by now
    [ "$(names_in dev.pem)" = DNS:pledgeid.domain.com ]
    openssl verify -CAfile cacerts.pem dev.pem
    cmp <(openssl x509 -in dev.pem -noout -pubkey) <(openssl pkey -in dev.key -pubout)
    [ "$(arrows)" = "newAuthz challenge newOrder finalize certificate" ]
    grep -q '"operation":"simpleenroll".*"status":202' "$PKI/relay.log"

    # The same request again is the same certificate and no order.
    est-enroll simpleenroll "${IDEVID[@]}" -o again.pem <dev.csr
    cmp dev.pem again.pem
    [ "$(requests newOrder)" = 1 ]
}

@test "ESTC-13b, ESTS-17b: run in one go, then simplereenroll and renew with what was issued" {
    relay 'retry_after = "1s"'
    est-enroll run "${IDEVID[@]}" --new-key auto --key-out dev.key --save-cacerts cacerts.pem -o dev.pem
    openssl verify -CAfile cacerts.pem dev.pem
    [ "$(names_in dev.pem)" = DNS:pledgeid.domain.com ]
    [ "$(requests newOrder) $(requests finalize) $(requests certificate)" = "1 1 1" ]

    csr-build --key dev.key --dns pledgeid.domain.com -o again.csr
    est-enroll simplereenroll --wait --cert dev.pem --key dev.key -o again.pem <again.csr
    openssl verify -CAfile cacerts.pem again.pem
    [ "$(openssl x509 -in again.pem -noout -serial)" != "$(openssl x509 -in dev.pem -noout -serial)" ]
    [ "$(requests newOrder)" = 2 ]

    run est-enroll renew --check --cert again.pem --key dev.key
    [ "$status" = 1 ]
    cp dev.key before.key
    est-enroll renew --before 100000h --new-key ec:P-384 --cert again.pem --key dev.key -o again.pem
    openssl verify -CAfile cacerts.pem again.pem
    run cmp -s before.key dev.key
    [ "$status" = 1 ]
    openssl x509 -in again.pem -noout -text | grep -F 384
    [ "$(names_in again.pem)" = DNS:pledgeid.domain.com ]
    [ "$(requests newOrder) $(requests challenge)" = "3 1" ]
}

# bound_csr VALUE: dev.csr, base64 without lines, its challengePassword the base64 of VALUE in hexadecimal.
bound_csr() {
    cat >bound.cnf <<CONF
[req]
prompt = no
distinguished_name = dn
attributes = attributes
req_extensions = extensions
[dn]
CN = pledgeid.domain.com
[attributes]
challengePassword = $(basenc --base16 -d <<<"${1^^}" | openssl base64 -A)
[extensions]
subjectAltName = DNS:pledgeid.domain.com
CONF
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout bound.key -config bound.cnf -outform DER \
        2>/dev/null | openssl base64 -A >dev.csr
}

# by_hand VERSION EXTRACT: openssl s_client with the device's certificate; EXTRACT gets the value from what it printed.
# Sends the request on the connection whose value it holds; what comes back is in s_client.out.
by_hand() {
    rm -f input && mkfifo input
    # A line of base64 may begin with R or Q, which would be commands.
    timeout 60 openssl s_client "-$1" -nocommands -connect "127.0.0.1:$RELAY_PORT" -CAfile "$PKI/tls-root.pem" -cert "$PKI/pledgeid.pem" \
        -key "$PKI/pledgeid.key" -keymatexport EXPORTER-Channel-Binding -keymatexportlen 32 -msg \
        <input >s_client.out 2>&1 3>&- &
    local client=$!
    exec 7>input
    wait_for 20 grep -q 'Keying material: [0-9A-F]' s_client.out # it is printed last
    bound_csr "$("$2")"
    printf 'POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
        "$(stat -c %s dev.csr)" "$(cat dev.csr)" >&7
    wait_for 30 grep -aq '^HTTP/1.1' s_client.out
    exec 7>&-
    wait "$client" || true
    ANSWER=$(grep -a -m 1 -o '^HTTP/1.1 [0-9]*' s_client.out)
}

exported() {
    sed -n 's/.*Keying material: \([0-9A-F]*\).*/\1/p' s_client.out | head -n 1
}

first_finished() { # the client's, in a full handshake; 12 octets behind the header
    sed -n '/^>>>.*Finished/{n;p;q}' s_client.out | xargs | cut -d ' ' -f 5-16 | tr -d ' '
}

# shellcheck disable=SC2317
wrong() {
    printf '%064d' 7
}

@test "ESTS-07a, ESTS-20a, INT-25: channel binding demanded: tls-unique under TLS 1.2, tls-exporter under 1.3" {
    relay 'pop = "required"' 'wait = "20s"'
    wait_for 60 authorized
    # The values are openssl's here.
    by_hand tls1_3 exported
    [ "$ANSWER" = "HTTP/1.1 200" ]
    by_hand tls1_2 first_finished
    [ "$ANSWER" = "HTTP/1.1 200" ]
    [ "$(requests newOrder)" = 2 ]
    by_hand tls1_3 wrong
    [ "$ANSWER" = "HTTP/1.1 400" ]
    by_hand tls1_2 exported
    [ "$ANSWER" = "HTTP/1.1 400" ]

    est-enroll run "${IDEVID[@]}" --pop --new-key ec:P-256 --key-out a.key -o a.pem
    est-enroll run "${IDEVID[@]}" --pop --tls-max 1.2 --new-key ec:P-256 --key-out b.key -o b.pem
    [ "$(names_in a.pem) $(names_in b.pem)" = "DNS:pledgeid.domain.com DNS:pledgeid.domain.com" ]
    [ "$(requests newOrder)" = 4 ]
    # A request that is bound to nothing.
    csr-build --key a.key --dns pledgeid.domain.com -o unbound.csr
    run bash -c 'est-enroll simpleenroll --json --cert "$0/pledgeid.pem" --key "$0/pledgeid.key" <unbound.csr' "$PKI"
    [ "$status" = 77 ]
    est-enroll simpleenroll "${IDEVID[@]}" --pop --csr-key a.key --wait -o c.pem <unbound.csr
    [ "$(names_in c.pem)" = DNS:pledgeid.domain.com ]
}
