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
    make_flow5
}

teardown() {
    stop_all
}

@test "BRM-04a, BRR-13c, BRP-11a: every arrow, with kill -9 of the registrar between voucher and enrolment" {
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
    [ "$(masa_events pledgeid)" = 1 ]
    # Between voucher and enrolment the registrar may die, and the MASA may be gone by then.
    kill -9 "$RELAY_PID" "$MASA_PID"
    wait "$RELAY_PID" "$MASA_PID" || true
    start_relay "$PKI"
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <request.cms | cmp - voucher.cms
    device_is forwarded
    brski-pledge voucher-status "${PLEDGE[@]}" --registrar "$REGISTRAR" --registrar-cert "$PKI/ra.pem"

    est-enroll run --server "$REGISTRAR" --explicit-ta "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key \
        --new-key auto --key-out new.key -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    brski-pledge enroll-status --idevid new.pem --key new.key --registrar "$REGISTRAR" --registrar-cert "$PKI/ra.pem"
    device_is enrolled
    grep -q '"certificateMatches":true' "$PKI/relay.log"
}

@test "BRP-03c, BRP-08a, BRP-11b: run does all of it, with a registrar whose chain has two certificates" {
    start_authority
    cat "$PKI/tls-root.pem" >>"$PKI/ra.pem" # the request has to name the first, and the voucher pins the second
    start_masa "$MAKER"
    registrar
    brski-pledge run "${PLEDGE[@]}" --registrar "$REGISTRAR" --manufacturer-ta "$MAKER/vendor.pem" --key-out new.key \
        --save-cacerts cas.pem --save-voucher voucher.cms -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    openssl verify -CAfile cas.pem -untrusted new.pem new.pem
    openssl cms -verify -inform DER -in voucher.cms -CAfile "$MAKER/vendor.pem" -purpose any -out voucher.json 2>/dev/null
    cmp <(jq -r '."ietf-voucher:voucher"."pinned-domain-cert"' voucher.json | base64 -d) <(openssl x509 -in "$PKI/tls-root.pem" -outform DER)
    wait_for 5 device_is enrolled
    # Of the new certificate, not of the IDevID.
    grep '"event":"enrollstatus"' "$PKI/relay.log" | grep -q '"certificateMatches":true'
    est-relay explain --config "$PKI/relay.toml" --json pledgeid | jq -e '.voucher | .voucherStatus == "success" and .enrollStatus == "success"'
    est-relay status --config "$PKI/relay.toml" --json | jq -e '.brski.devices | .enrolled == 1 and .refused == 0'
}

@test "BRR-10b, FLD-E2: 202 while the MASA thinks, the same request again, and a restart forgets nothing" {
    no_ca
    start_masa "$MAKER" --delay 3s
    registrar 'wait = "100ms"'
    request one
    ask one
    [ "$STATUS" = 202 ]
    grep -qi '^retry-after: 1' headers
    grep -qi '^content-length: 0' headers
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" || true
    start_relay "$PKI"
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <one >voucher
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <voucher >/dev/null
}

@test "BRR-10a: a registrar that is killed before it told anybody anything is asked again, and answers" {
    no_ca
    start_masa "$MAKER" --delay 1s
    registrar 'wait = "20s"'
    request one
    ask one &
    sleep 0.3
    kill -9 "$RELAY_PID"
    wait $! "$RELAY_PID" || true
    start_relay "$PKI"
    ask one
    [ "$STATUS" = 200 ]
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one <answer >/dev/null
    est_code csrattrs | grep -qx 200
}

@test "BRM-02b, BRR-09, FLD-E1: vouchers in JWS, and in CMS for a body in base64 that ends in NUL, with the registrar's CA pinned" {
    no_ca
    cat "$PKI/tls-root.pem" >>"$PKI/ra.pem"
    start_masa "$MAKER"
    registrar
    request jws --format jws
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <jws >voucher.jws
    jq -e '.signatures | length == 1' voucher.jws
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request jws <voucher.jws >pinned.pem
    cmp <(openssl x509 -in pinned.pem) <(openssl x509 -in "$PKI/tls-root.pem")
    request cms
    base64 cms >cms.b64
    printf '\0' >>cms.b64
    ask cms.b64
    [ "$STATUS" = 200 ]
    grep -qi '^content-type: application/voucher-cms+json' headers
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request cms <answer >/dev/null
}

@test "BRR-03c, BRR-02b, FLD-E2: another registrar's request is 401, another device's 403" {
    no_ca
    start_masa "$MAKER"
    registrar
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$PKI/tls-root.pem" -o other
    ask other
    [ "$STATUS" = 401 ]
    grep -qi '^content-length: 0' headers
    grep '"event":"brski"' "$PKI/relay.log" | grep -q proximity-registrar-cert
    make_pledge "$MAKER" second
    brski-pledge sign-request --idevid second.pem --key second.key --registrar-cert "$PKI/ra.pem" -o second
    ask second
    [ "$STATUS" = 403 ]
    [ "$(masa_events pledgeid)" = 0 ]
}

@test "BRR-12c, BRR-12d, SEC-11: no EST with a bad audit log, and no voucher for another owner's device" {
    no_ca
    start_masa "$MAKER"
    registrar
    sqlite "$MAKER/masa.db" "INSERT INTO masa_log (serial, date, domain, nonce, assertion) VALUES ('pledgeid', '2026-01-01T00:00:00Z', 'c29tZWJvZHk=', 'AAAA', 'logged')"
    request one
    ask one
    [ "$STATUS" = 403 ]
    grep -q 'c29tZWJvZHk=' answer
    grep '"event":"brski"' "$PKI/relay.log" | grep '"level":"warning"' | grep -q 'audit log: domain c29tZWJvZHk= had a voucher'
    [ "$(est_code csrattrs)" = 403 ]
    device_is refused
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    echo "pledgeid,$(printf somebody | sha256sum | cut -d ' ' -f 1)" >owners
    start_masa "$MAKER" --owners owners
    request two
    ask two
    [ "$STATUS" = 403 ]
    grep -q 'another domain' answer
}

@test "SEC-06, BRR-05a: a MASA that is not on the list, or in a private network, is not asked" {
    no_ca
    start_masa "$MAKER"
    BRSKI_PRIVATE=false registrar 'give_up = "1s"'
    request one
    run brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" --timeout 20s <one
    [ "$status" -ne 0 ]
    [ "$(masa_events pledgeid)" = 0 ]
    rm pledgeid.key
    make_pledge "$MAKER" pledgeid "localhost:1"
    request two
    ask two
    [ "$STATUS" = 403 ]
    grep -q 'localhost:1' answer
}

@test "BRM-01b, BRR-08a: a registrar without id-kp-cmcRA does not start, and no MASA takes its requests" {
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

@test "BRR-08a: SIGHUP with a certificate without id-kp-cmcRA changes nothing" {
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
    request good
    ask good
    [ "$STATUS" = 202 ] || [ "$STATUS" = 200 ]
}

# good_voucher: the request one, the leaves of a right answer in GOOD, and the voucher good, which is accepted.
good_voucher() {
    request one
    GOOD=$(voucher_json one)
    voucher good .
    accepted good
}

# voucher NAME JQ-EXPRESSION [SIGNER]: the good one, changed.
voucher() {
    make_voucher "$1" "$(jq -c "$2" <<<"$GOOD")" "${@:3}"
}

# accepted VOUCHER [OPTION...]
accepted() {
    brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one "${@:2}" <"$1" >/dev/null
}

# verify VOUCHER REASON [OPTION...]: it is refused for that reason.
verify() {
    local voucher=$1 reason=$2
    shift 2
    run --separate-stderr brski-pledge verify --json --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one \
        "$@" <"$voucher"
    [ "$status" -eq 77 ]
    [ "$(jq -r .code <<<"$output")" = "$reason" ]
}

@test "BRP-06a, BRP-06b, BRP-06c: foreign, unsigned, misdirected, replayed and nonceless vouchers fail closed" {
    good_voucher
    voucher bad . "$PKI/ra"
    verify bad signer
    # The manufacturer's CA issued the certificates of its devices, too.
    make_pledge "$MAKER" second
    voucher bad . second
    verify bad signer
    verify good.json form # not signed
    voucher bad '."ietf-voucher:voucher"."serial-number" = "another"'
    verify bad serial-number
    voucher bad '."ietf-voucher:voucher".nonce = "AAAAAAAAAAAAAAAAAAAAAA=="'
    verify bad nonce
    voucher bad 'del(."ietf-voucher:voucher".nonce)'
    verify bad nonce
    accepted bad --nonceless
}

@test "BRP-06d, BRP-06e, BRP-06f: expired vouchers and such without a pinned certificate fail closed, unknown leaves are ignored" {
    good_voucher
    voucher bad '."ietf-voucher:voucher"."expires-on" = "2026-01-02T00:00:00Z"'
    verify bad voucher # RFC 8366 section 5.3: not with a nonce
    voucher bad '."ietf-voucher:voucher" |= (del(.nonce) | ."expires-on" = "2026-01-02T00:00:00Z")'
    verify bad expires-on --nonceless
    accepted bad --nonceless --no-clock
    voucher bad '."ietf-voucher:voucher" |= (del(.nonce) | ."expires-on" = "2999-01-02T00:00:00Z")'
    accepted bad --nonceless
    voucher bad 'del(."ietf-voucher:voucher"."pinned-domain-cert")'
    verify bad pinned-domain-cert
    voucher good '."ietf-voucher:voucher"."later-leaf" = {"a": 1}'
    accepted good
}

@test "BRP-07, BRP-08a, BRP-08b: a voucher for the devices of another CA, or for another domain than the connection's" {
    good_voucher
    voucher bad '."ietf-voucher:voucher"."idevid-issuer" = "AAAA"'
    verify bad idevid-issuer
    pins() { # CERTIFICATE
        voucher pinning ".\"ietf-voucher:voucher\".\"pinned-domain-cert\" = \"$(openssl x509 -in "$1" -outform DER | base64 -w0)\""
    }
    pins "$PKI/tls-root.pem"
    accepted pinning
    # A CA of the same name and the manufacturer's, which the pledge knows, are no anchors of the domain.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem -subj "/CN=TLS root" -days 3 2>/dev/null
    pins other.pem
    verify pinning registrar
    pins "$MAKER/vendor.pem"
    verify pinning registrar
    # The registrar's key in another certificate is as good as its own.
    openssl req -x509 -key "$PKI/ra.key" -out renewed.pem -subj "/CN=renewed" -days 3
    pins renewed.pem
    accepted pinning
}

@test "BRM-02a, BRM-02c, BRM-02d: a voucher has the answers to its request, its type, and the signer's chain" {
    no_ca
    start_masa "$MAKER"
    registrar
    request one
    ask one
    [ "$STATUS" = 200 ]
    openssl cms -cmsout -print -inform DER -in answer >printed
    grep -A1 'eContentType' printed | grep -qF '(1.2.840.113549.1.9.16.1.40)'
    openssl cms -verify -inform DER -in answer -noverify -certsout certificates -out voucher.json 2>/dev/null
    jq -e --arg nonce "$(jq -r '."ietf-voucher:voucher".nonce' <<<"$(voucher_json one)")" \
        '."ietf-voucher:voucher" | .assertion == "proximity" and ."serial-number" == "pledgeid" and .nonce == $nonce' voucher.json
    [ "$(grep -c BEGIN certificates)" = 2 ]
    openssl storeutl -certs -noout -text certificates | grep Subject: >subjects
    grep -q 'Lab MASA' subjects
    grep -q 'Lab manufacturer CA' subjects
}

@test "BRR-08b, SEC-06: check looks at the registrar's files and, with --online, at the MASAs" {
    no_ca
    configure
    findings() { # [OPTION...]: "verdict message" of what is about BRSKI
        run --separate-stderr est-relay check --config "$PKI/relay.toml" --json "$@"
        jq -r '.findings[] | select(.subject | test("^(brski|manufacturer lab)$")) | .verdict + " " + .message' <<<"$output"
    }
    start_masa "$MAKER"
    findings --online >found
    grep -q '^ok the certificate in \[tls\] is that of a registrar' found
    grep -q '^ok devices of .*Lab manufacturer CA until' found
    grep -q '^ok MASA with root .*Lab manufacturer CA until' found
    grep -q "^ok https://$MASA/.well-known/brski answers" found
    grep -q '^warn its MASA may have an address of a private network' found
    run ! grep '^fail\|subjectKeyIdentifier' found
    sed -i 's/^subjectKeyIdentifier=.*/subjectKeyIdentifier=none/' "$PKI/ra.extensions"
    openssl req -new -key "$PKI/ra.key" -subj "/CN=registrar" |
        openssl x509 -req -CA "$PKI/tls-root.pem" -CAkey "$PKI/tls-root.key" -days 30 -extfile "$PKI/ra.extensions" -out "$PKI/ra.pem" 2>/dev/null
    findings >found
    grep -q '^warn the certificate in \[tls\] has no subjectKeyIdentifier' found
    # Each of these on its own would end in refused devices.
    make_tls "$PKI"
    sed -i "s|^masa_ca = .*|masa_ca = \"missing.pem\"|; s|^private_addresses = .*||; 0,/^trust = .*/s||trust = [\"$PKI/maker.pem\"]|
        s|^retry_after = .*|&\naudit_log = \"off\"\nnonceless = true|;" "$PKI/relay.toml"
    sed -i '/^\[est\]/,/^\[brski\]/{/^audit_log\|^nonceless/d}' "$PKI/relay.toml"
    findings >found
    grep -q '^fail the certificate in \[tls\] has no id-kp-cmcRA' found
    grep -q '^fail .*missing.pem' found
    grep -q '^fail .* is not in trust of \[clients.idevid\]' found
    grep -q '^warn audit logs are not requested' found
    grep -q '^warn nonceless vouchers are accepted' found
    sed -i "s|^masa_ca = .*|masa_ca = \"$MAKER/vendor.pem\"|" "$PKI/relay.toml"
    findings --online >found
    grep -q "^fail https://$MASA/.well-known/brski: " found
}
