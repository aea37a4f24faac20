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

@test "TBR-01, TBR-05, TBR-06: the seed's half-turns under TLS 1.2 and 1.3, one voucher and one order each" {
    start_masa "$MAKER"
    teap
    local version
    for version in 1.2 1.3; do
        pledge --tls-version "$version" --new-key ec:P-256 --key-out "dev$version.key" --save-root "root$version.pem" \
            --save-voucher "voucher$version" -vv -o "dev$version.pem" 2>told
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
        [[ $(openssl x509 -in "dev$version.pem" -noout -ext subjectAltName) == *DNS:pledgeid.domain.com* ]]
        openssl verify -CAfile "root$version.pem" -untrusted "dev$version.pem" "dev$version.pem"
        openssl cms -verify -inform DER -in "voucher$version" -CAfile "$MAKER/vendor.pem" -purpose any -out voucher.json 2>/dev/null
        [ "$(jq -r '."ietf-voucher:voucher".assertion' voucher.json)" = proximity ]
    done
    [ "$(requests newOrder)" = 2 ]
    [ "$(requests finalize)" = 2 ]
    teap-relay status --config "$PKI/teap.toml" --json |
        jq -e '.teap.vouchers == 2 and .teap.enrolments == 2 and .brski.devices[0].voucherStatus == "success"'

    # What was issued gets in: no voucher, no enrolment.
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
        --cert dev1.3.pem --key dev1.3.key --expect accept -vv 2>told
    ! grep -q Request-Action told || return 1
    [ "$(requests newOrder)" = 2 ]
}

@test "TBR-10, TBR-09, TBR-02: everything before the final Crypto-Binding, other numbers, vouchers in JWS" {
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

@test "TBR-03, TBR-11: a MASA that is away, one that refuses, and a device that is not welcome" {
    teap 'hold = "2s"'
    run pledge --new-key ec:P-256 --key-out dev.key
    [ "$status" = 75 ]
    [[ $output == *"MASA unavailable"* ]]
    [ "$(requests newOrder)" = 0 ]
    [ ! -e dev.key ]
    : >"$PKI/devices.csv"
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q reloaded "$TEAP_LOG"
    start_masa "$MAKER"
    run pledge --new-key ec:P-256 --key-out dev.key
    [ "$status" = 77 ]
    [[ $output == *"MASA refused"* ]]
    [ "$(requests newOrder)" = 0 ]
}

@test "TBR-04: a voucher of another manufacturer ends the tunnel, and the device enrols nowhere" {
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
