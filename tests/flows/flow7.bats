#!/usr/bin/env bats
# Flow 7, "ACME Integration with TEAP-BRSKI", half-turn by half-turn with teap-enroll, teap-relay, brski-masa, acme-ca
# and Knot.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_flow5
    cp pledgeid.pem pledgeid.key "$PKI"
    start_authority
}

teardown() {
    stop_all
}

teap() { # LINE...: of [teap]
    write_brski_teap "$PKI" "$MAKER" "$@"
    start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
}

pledge() { # OPTION...: the device, which knows its maker and nobody else
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --cert pledgeid.pem --key pledgeid.key \
        --manufacturer-ta "$MAKER/vendor.pem" "$@"
}

half_turns() { # FILE: what passed, in order, without sizes and the TLS handshake's own messages
    sed -n 's/ ([0-9]* octets)//g; s/^teap-enroll: [<>] //p' "$1" | grep -v '^TLS handshake'
}

# seeds_half_turns VERSION: a device without anchors gets its voucher and its certificate by them.
seeds_half_turns() {
    local version=$1
    start_masa "$MAKER"
    teap
    pledge --tls-version "$version" --new-key ec:P-256 --key-out dev.key --save-root root.pem --save-voucher voucher -vv \
        -o dev.pem 2>told
    # CSR-Attributes come beside the voucher, as the TEAP-BRSKI draft wants, and when asked for, as the seed has it.
    diff - <(half_turns told) <<'END'
EAP-Request/Identity
EAP-Response/Identity teap-bootstrap@
TEAP Start, Authority-ID
TLS ClientHello
{Crypto-Binding, Result=Success}
{Crypto-Binding, Result=Success}
{Request-Action(Status=Failure, Action=Process-TLV: BRSKI-RequestVoucher, Trusted-Server-Root, CSR-Attributes, PKCS#10)}
{BRSKI-RequestVoucher}
{BRSKI-Voucher, CSR-Attributes}
{Trusted-Server-Root}
{Trusted-Server-Root}
{CSR-Attributes}
{CSR-Attributes}
{PKCS#10}
{PKCS#7, Result=Success}
{Result=Success}
EAP-Success
END
    [[ $(openssl x509 -in dev.pem -noout -ext subjectAltName) == *DNS:pledgeid.domain.com* ]]
    openssl verify -CAfile root.pem -untrusted dev.pem dev.pem
    openssl cms -verify -inform DER -in voucher -CAfile "$MAKER/vendor.pem" -purpose any -out voucher.json 2>/dev/null
    [ "$(requests newOrder)" = 1 ]
    [ "$(requests finalize)" = 1 ]
    teap-relay status --config "$PKI/teap.toml" --json |
        jq -e '.teap.vouchers == 1 and .teap.enrolments == 1 and .brski.devices.forwarded == 1'
    teap-relay explain --config "$PKI/teap.toml" --json pledgeid | jq -e '.voucher.voucherStatus == "success"'
}

@test "TBR-01b, TBR-05a, TBR-05b: the seed's half-turns under TLS 1.2, one voucher and one order" {
    seeds_half_turns 1.2
    # What was issued gets in: no voucher, no enrolment.
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
        --cert dev.pem --key dev.key --expect accept -vv 2>told
    ! grep -q Request-Action told || return 1
    [ "$(requests newOrder)" = 1 ]
}

@test "TBR-01a, TBR-03a, TBR-06: the seed's half-turns under TLS 1.3; the MASA's voucher is for the registrar's request" {
    only_sqlite
    seeds_half_turns 1.3
    [ "$(masa_events pledgeid)" = 1 ]
    jq -e '."ietf-voucher:voucher" | .assertion == "proximity" and ."serial-number" == "pledgeid"' voucher.json
    sqlite "$PKI/relay.db" "SELECT hex(registrar_request) FROM brski_devices" | basenc --base16 --decode >signed
    openssl cms -verify -inform DER -in signed -CAfile "$PKI/tls-root.pem" -purpose any -out request.json 2>/dev/null
    [ "$(jq -r '."ietf-voucher:voucher".nonce' voucher.json)" = "$(jq -r '."ietf-voucher-request:voucher".nonce' request.json)" ]
    jq -r '."ietf-voucher-request:voucher"."prior-signed-voucher-request"' request.json | base64 -d >prior
    openssl cms -verify -inform DER -in prior -CAfile "$MAKER/vendor.pem" -purpose any -out prior.json 2>/dev/null
    # The peer's request has the server's certificate of phase 1.
    cmp <(jq -r '."ietf-voucher-request:voucher"."proximity-registrar-cert"' prior.json | base64 -d) \
        <(openssl x509 -in "$PKI/ra.pem" -outform DER)
}

@test "TBR-02b, TBR-02c: a device with an LDevID shows that, and signs the voucher-request with its IDevID" {
    start_masa "$MAKER"
    teap
    printf '%s\n' subjectKeyIdentifier=hash authorityKeyIdentifier=keyid "1.3.6.1.5.5.7.1.32=ASN1:IA5STRING:127.0.0.1:$MASA_PORT" >extensions
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ldevid.key -subj "/CN=LDevID/serialNumber=pledgeid" \
        2>/dev/null | openssl x509 -req -CA "$MAKER/vendor.pem" -CAkey "$MAKER/vendor.key" -days 3 -extfile extensions -out ldevid.pem \
        2>/dev/null
    run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --cert ldevid.pem --key ldevid.key \
        --idevid pledgeid.pem --idevid-key pledgeid.key --manufacturer-ta "$MAKER/vendor.pem" --new-key ec:P-256 --key-out dev.key
    # This server wants one certificate for both, and says that they differ.
    [ "$status" = 77 ]
    [[ $output == *"MASA refused"* ]]
    wait_for 5 grep -q '"client":"[^"]*LDevID.*signer: the request must be signed with the key of the TLS client certificate' "$TEAP_LOG"
    # With the LDevID alone there is no difference.
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --cert ldevid.pem --key ldevid.key \
        --manufacturer-ta "$MAKER/vendor.pem" --new-key ec:P-256 --key-out dev.key -o dev.pem
}

@test "TBR-10b, TBR-09a: everything before the final Crypto-Binding, other numbers, vouchers in JWS" {
    start_masa "$MAKER"
    teap 'order = "binding-last"' 'numbers = ["request_voucher=0x2001", "voucher=0x2002", "masa_refused=1900"]'
    pledge --format jws --number request-voucher=8193 --number voucher=8194 --new-key ec:P-256 --key-out dev.key -vv \
        -o dev.pem 2>told
    diff - <(half_turns told | sed -n '/Request-Action/p; /^{PKCS#7/,$p') <<'END'
{Request-Action(Status=Failure, Action=Process-TLV: BRSKI-RequestVoucher, Trusted-Server-Root, CSR-Attributes, PKCS#10)}
{PKCS#7, Crypto-Binding, Result=Success}
{Crypto-Binding, Result=Success}
EAP-Success
END
    # A peer that keeps to the defaults does not know what it is asked for.
    run pledge --new-key ec:P-256 --key-out other.key
    [ "$status" = 77 ]
    [ ! -e other.key ]
}

@test "TBR-03c, TBR-11b: a MASA that is away, one that refuses, and a device that is not welcome" {
    teap 'hold = "2s"'
    status=0
    pledge --new-key ec:P-256 --key-out dev.key --json >deferred 2>told || status=$?
    [ "$status" = 75 ]
    grep -q 'MASA unavailable' told
    [ "$(jq .retryAfter deferred)" -ge 120 ]
    [ "$(requests newOrder)" = 0 ]
    [ ! -e dev.key ]
    echo another >"$PKI/devices.csv"
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$TEAP_LOG"
    start_masa "$MAKER"
    run pledge --new-key ec:P-256 --key-out dev.key
    [ "$status" = 77 ]
    [[ $output == *"MASA refused"* ]]
    [ "$(requests newOrder)" = 0 ]
}

@test "TBR-04a: a voucher of another manufacturer ends the tunnel, and the device enrols nowhere" {
    start_masa "$MAKER"
    teap
    run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --cert pledgeid.pem --key pledgeid.key \
        --manufacturer-ta "$PKI/maker.pem" --new-key ec:P-256 --key-out dev.key
    [ "$status" = 77 ]
    [ ! -e dev.key ]
    wait_for 5 grep -q '"event":"teap".*voucher invalid' "$TEAP_LOG"
    [ "$(requests newOrder)" = 0 ]
    # Without a voucher the same device asks for nothing: the server is a stranger.
    run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
        --cert pledgeid.pem --key pledgeid.key --new-key ec:P-256 --key-out dev.key
    [ "$status" = 77 ]
    [ "$(requests newOrder)" = 0 ]
}
