#!/usr/bin/env bats
# Flow 5, "ACME Integration with BRSKI", with brski-pledge, est-relay, brski-masa, acme-ca and Knot.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    MAKER=$PWD/masa
    make_pki "$PKI"
    make_registrar_tls "$PKI"
    echo pledgeid >>"$PKI/devices.csv"
    export RELAY_DOMAIN=domain.com
    make_pledge "$MAKER" pledgeid
    PLEDGE=(--idevid pledgeid.pem --key pledgeid.key)
}

teardown() {
    stop_all
}

# no_ca: a registrar without a CA behind it, for what happens before the enrolment.
no_ca() {
    cp "$PKI/tls-root.pem" root.pem
    CA_ROOT=$PWD/root.pem
    ACCOUNT=none
}

configure() { # LINE...: of [brski]
    write_brski "$PKI" "$MAKER" "$@"
    if [ "$ACCOUNT" = none ]; then
        sed -i 's|^account = .*|issuer = ["/bin/false"]|' "$PKI/relay.toml"
        sed -i '/^update = \|^tsig_key = /d' "$PKI/relay.toml"
    fi
}

registrar() { # LINE...: of [brski]
    configure "$@"
    start_relay "$PKI"
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
}

# ask FILE [CURL OPTION...]: POSTs a voucher-request; sets STATUS, the answer lies in answer and headers.
ask() {
    local file=$1
    shift
    STATUS=$(curl -s --cacert "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key -D headers -o answer -w '%{http_code}' \
        -H "Content-Type: ${TYPE:-application/voucher-cms+json}" --data-binary "@$file" "$@" "$REGISTRAR/.well-known/brski/requestvoucher")
}

request() { # NAME [OPTION...]: a fresh voucher-request in the file NAME
    local name=$1
    shift
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$PKI/ra.pem" "$@" -o "$name"
}

status_of_device() {
    est-relay status --config "$PKI/relay.toml" --json | jq -r '.brski.devices[] | select(.serial == "pledgeid") | .state'
}

est_code() { # OPERATION: status of EST for the pledge
    curl -s --cacert "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key -o est -w '%{http_code}' \
        "$REGISTRAR/.well-known/est/$1"
}

@test "BRP-01, BRR-06, BRM-02: every arrow: voucher-request, voucher, audit log, status, EST through 202, enrollstatus" {
    start_authority
    start_masa "$MAKER"
    registrar
    [ "$(est_code csrattrs)" = 403 ]

    brski-pledge sign-request "${PLEDGE[@]}" --registrar "$REGISTRAR" -o request.cms
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <request.cms >voucher.cms
    brski-pledge verify --explain --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request request.cms \
        <voucher.cms >checks
    run ! grep FAIL checks
    grep -q '^pass  nonce' checks
    openssl cms -verify -inform DER -in voucher.cms -CAfile "$MAKER/vendor.pem" -purpose any -out voucher.json 2>/dev/null
    [ "$(jq -r '."ietf-voucher:voucher"."serial-number"' voucher.json)" = pledgeid ]
    [ "$(jq -r '."ietf-voucher:voucher".assertion' voucher.json)" = proximity ]
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request request.cms <voucher.cms >pinned.pem
    brski-masa log --dir "$MAKER" --serial pledgeid | jq -e '.events | length == 1' >/dev/null
    [ "$(status_of_device)" = ready ]
    brski-pledge voucher-status "${PLEDGE[@]}" --registrar "$REGISTRAR" --registrar-cert "$PKI/ra.pem"

    est-enroll run --server "$REGISTRAR" --explicit-ta "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key \
        --new-key auto --key-out new.key -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    brski-pledge enroll-status --idevid new.pem --key new.key --registrar "$REGISTRAR" --registrar-cert "$PKI/ra.pem"
    [ "$(status_of_device)" = enrolled ]
    grep -q '"certificateMatches":true' "$PKI/relay.log"
}

@test "BRP-08, BRP-10, BRP-11: run does all of it on a kept connection" {
    start_authority
    start_masa "$MAKER"
    registrar
    brski-pledge run "${PLEDGE[@]}" --registrar "$REGISTRAR" --manufacturer-ta "$MAKER/vendor.pem" --key-out new.key \
        --save-cacerts cas.pem --save-voucher voucher.cms -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    openssl verify -CAfile cas.pem -untrusted new.pem new.pem
    [ -s voucher.cms ]
    wait_for 5 test "$(status_of_device)" = enrolled
    est-relay status --config "$PKI/relay.toml" --json | jq -e '.brski.devices[0] | .voucherStatus == "success" and .enrollStatus == "success"'
}

@test "BRR-10, BRP-04: 202 while the MASA thinks, the same request again, and a restart forgets nothing" {
    no_ca
    start_masa "$MAKER" --delay 3s
    registrar 'wait = "100ms"'
    request one
    ask one
    [ "$STATUS" = 202 ]
    grep -qi '^retry-after: 1' headers
    kill -9 "$RELAY_PID"
    start_relay "$PKI"
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <one >voucher
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <voucher >/dev/null
}

@test "BRP-01, BRM-02: vouchers in JWS, and in CMS for a body in base64" {
    no_ca
    start_masa "$MAKER"
    registrar
    request jws --format jws
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <jws >voucher.jws
    jq -e '.signatures | length == 1' voucher.jws
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request jws <voucher.jws >/dev/null
    request cms
    base64 cms >cms.b64
    ask cms.b64
    [ "$STATUS" = 200 ]
    grep -qi '^content-type: application/voucher-cms+json' headers
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request cms <answer >/dev/null
}

@test "BRR-04: status codes and media types of the registrar" {
    no_ca
    start_masa "$MAKER"
    registrar
    request good
    TYPE=application/json ask good
    [ "$STATUS" = 415 ]
    ask good -H 'Accept: text/html'
    [ "$STATUS" = 406 ]
    ask good -X GET
    [ "$STATUS" = 405 ]
    echo junk >junk
    ask junk
    [ "$STATUS" = 400 ]
    STATUS=$(curl -s --cacert "$PKI/tls-root.pem" -o /dev/null -w '%{http_code}' -H 'Content-Type: application/voucher-cms+json' \
        --data-binary @good "$REGISTRAR/.well-known/brski/requestvoucher")
    [ "$STATUS" = 403 ]
    make_idevid "$PKI" alien
    STATUS=$(curl -s --cacert "$PKI/tls-root.pem" --cert "$PKI/alien.pem" --key "$PKI/alien.key" -o /dev/null -w '%{http_code}' \
        -H 'Content-Type: application/voucher-cms+json' --data-binary @good "$REGISTRAR/.well-known/brski/requestvoucher")
    [ "$STATUS" = 404 ]
    STATUS=$(curl -s --cacert "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key -o /dev/null -w '%{http_code}' \
        -H 'Content-Type: application/json' -d '{"version":1}' "$REGISTRAR/.well-known/brski/voucher_status")
    [ "$STATUS" = 400 ]
    head -c 300000 /dev/zero >huge
    ask huge
    [ "$STATUS" = 413 ]
}

@test "BRR-03, BRR-02: another registrar's request is 401, another device's 403" {
    no_ca
    start_masa "$MAKER"
    registrar
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$PKI/tls-root.pem" -o other
    ask other
    [ "$STATUS" = 401 ]
    make_pledge "$MAKER" second
    brski-pledge sign-request --idevid second.pem --key second.key --registrar-cert "$PKI/ra.pem" -o second
    ask second
    [ "$STATUS" = 403 ]
    [ "$(brski-masa log --dir "$MAKER" --serial pledgeid | jq '.events | length')" = 0 ]
}

@test "BRR-12, BRR-14, SEC-11: no EST with a bad audit log, and no voucher for another owner's device" {
    no_ca
    start_masa "$MAKER"
    registrar
    sqlite3 "$MAKER/masa.db" "INSERT INTO masa_log (serial, date, domain, nonce, assertion) VALUES ('pledgeid', '2026-01-01T00:00:00Z', 'c29tZWJvZHk=', 'AAAA', 'logged')"
    request one
    ask one
    [ "$STATUS" = 403 ]
    grep -q 'c29tZWJvZHk=' answer
    [ "$(est_code csrattrs)" = 403 ]
    [ "$(status_of_device)" = refused ]
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    echo 'pledgeid,c29tZWJvZHk=' >owners
    start_masa "$MAKER" --owners owners
    request two
    ask two
    [ "$STATUS" = 403 ]
    grep -q 'another domain' answer
}

@test "SEC-06, BRR-05: a MASA that is not on the list, or in a private network, is not asked" {
    no_ca
    start_masa "$MAKER"
    BRSKI_PRIVATE=false registrar 'give_up = "1s"'
    request one
    run brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" --timeout 20s <one
    [ "$status" -ne 0 ]
    [ "$(brski-masa log --dir "$MAKER" --serial pledgeid | jq '.events | length')" = 0 ]
    rm pledgeid.key
    make_pledge "$MAKER" pledgeid "localhost:1"
    request two
    ask two
    [ "$STATUS" = 403 ]
    grep -q 'localhost:1' answer
}

@test "BRM-01, BRR-08: a registrar without id-kp-cmcRA does not start, and no MASA takes its requests" {
    no_ca
    make_tls "$PKI"
    configure
    run --separate-stderr est-relay serve --config "$PKI/relay.toml"
    [ "$status" -eq 78 ]
    [[ $stderr == *cmcRA* ]]
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$PKI/ra.pem" -o pledge.cms
    run --separate-stderr brski-masa sign --dir "$MAKER" <pledge.cms
    [ "$status" -eq 77 ]
    [[ $stderr == *cmcRA* ]]
}

@test "BRR-08: SIGHUP with a certificate without id-kp-cmcRA changes nothing; other manufacturers wait for a restart" {
    no_ca
    start_masa "$MAKER"
    registrar
    cp "$PKI/ra.pem" good.pem
    cp "$PKI/ra.key" good.key
    make_tls "$PKI"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q 'not reloaded' "$PKI/relay.log"
    cp good.pem "$PKI/ra.pem"
    cp good.key "$PKI/ra.key"
    sed -i 's|^masa_hosts = .*|masa_hosts = ["masa.example.com"]|' "$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q 'change with a restart only' "$PKI/relay.log"
    request good
    ask good
    [ "$STATUS" = 202 ] || [ "$STATUS" = 200 ]
}

@test "BRP-06, BRP-08: replayed, nonceless, expired, foreign and unsigned vouchers fail closed" {
    verify() { # VOUCHER REASON [OPTION...]
        local voucher=$1 reason=$2
        shift 2
        run --separate-stderr brski-pledge verify --json --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one \
            "$@" <"$voucher"
        [ "$status" -eq 77 ]
        [ "$(jq -r .code <<<"$output")" = "$reason" ]
    }
    voucher() { # NAME JQ-EXPRESSION [SIGNER]
        jq -c "$2" good.json >changed.json
        openssl cms -sign -binary -nodetach -in changed.json -signer "${3:-$MAKER/masa}.pem" -inkey "${3:-$MAKER/masa}.key" \
            -outform DER -econtent_type 1.2.840.113549.1.9.16.1.40 -out "$1"
    }
    request one
    nonce=$(openssl cms -verify -noverify -inform DER -in one 2>/dev/null | jq -r '."ietf-voucher-request:voucher".nonce')
    pinned=$(openssl x509 -in "$PKI/ra.pem" -outform DER | base64 -w0)
    other=$(openssl x509 -in "$MAKER/vendor.pem" -outform DER | base64 -w0)
    printf '{"ietf-voucher:voucher":{"assertion":"logged","serial-number":"pledgeid","nonce":"%s","created-on":"2026-01-01T00:00:00Z","pinned-domain-cert":"%s"}}' \
        "$nonce" "$pinned" >good.json
    voucher good .
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <good >/dev/null
    voucher bad '."ietf-voucher:voucher".nonce = "AAAAAAAAAAAAAAAAAAAAAA=="'
    verify bad nonce
    voucher bad 'del(."ietf-voucher:voucher".nonce)'
    verify bad nonce
    brski-pledge verify --nonceless --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <bad >/dev/null
    voucher bad '."ietf-voucher:voucher"."expires-on" = "2026-01-02T00:00:00Z"'
    verify bad expires-on
    brski-pledge verify --no-clock --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <bad >/dev/null
    voucher bad '."ietf-voucher:voucher"."serial-number" = "another"'
    verify bad serial-number
    voucher bad ".\"ietf-voucher:voucher\".\"pinned-domain-cert\" = \"$other\""
    verify bad registrar
    voucher bad 'del(."ietf-voucher:voucher"."pinned-domain-cert")'
    verify bad pinned-domain-cert
    voucher bad '."ietf-voucher:voucher"."idevid-issuer" = "AAAA"'
    verify bad idevid-issuer
    voucher bad . "$PKI/ra"
    verify bad signer
    verify good.json form
    voucher good '."ietf-voucher:voucher"."later-leaf" = {"a": 1}'
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <good >/dev/null
}

@test "CLOUD-01, CLOUD-02, CLOUD-03: the cloud registrar sends the pledge to its owner by 307" {
    start_authority
    echo "pledgeid,redirect,https://127.0.0.1:${RELAY_PORT:=$(free_port)}" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv
    registrar
    brski-pledge run "${PLEDGE[@]}" --cloud "https://$MASA" --ca-file "$MAKER/vendor.pem" \
        --manufacturer-ta "$MAKER/vendor.pem" --key-out new.key -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    make_pledge "$MAKER" nobody
    run --separate-stderr brski-pledge run --idevid nobody.pem --key nobody.key --cloud "https://$MASA" --ca-file "$MAKER/vendor.pem" \
        --manufacturer-ta "$MAKER/vendor.pem" --key-out nobody.new
    [ "$status" -eq 77 ]
    [[ $stderr == *401* ]]
    run --separate-stderr brski-pledge run "${PLEDGE[@]}" --cloud "https://$MASA" --ca-file "$PKI/tls-root.pem" \
        --manufacturer-ta "$MAKER/vendor.pem" --key-out unverified.key
    [ "$status" -eq 69 ]
}

@test "CLOUD-04: a redirect loop ends" {
    echo "pledgeid,redirect,https://127.0.0.1:${MASA_PORT}" >cloud.csv
    start_masa "$MAKER" --cloud cloud.csv
    run --separate-stderr brski-pledge run "${PLEDGE[@]}" --cloud "https://$MASA" --ca-file "$MAKER/vendor.pem" \
        --manufacturer-ta "$MAKER/vendor.pem" --key-out new.key --json
    [ "$status" -eq 76 ]
    [ "$(jq -r .code <<<"$output")" = redirectLoop ]
}
