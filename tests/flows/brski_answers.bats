#!/usr/bin/env bats
# Status codes, media types and Accept of RFC 8995 sections 5.2 to 5.9, one by one: registrar and MASA.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/relay
load ../lib/brski

CMS=application/voucher-cms+json
JWS=application/voucher-jws+json

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_flow5
    no_ca
    start_masa "$MAKER"
}

teardown() {
    stop_all
}

# expect STATUS COMMAND...: the command sets STATUS.
expect() {
    local status=$1
    shift
    "$@"
    [ "$STATUS" = "$status" ] || { echo "$STATUS instead of $status: $*" && cat answer && false; }
}

# has HEADER VALUE: in the last answer.
has() {
    grep -qi "^$1: $2" headers
}

# nobody RESOURCE FILE TYPE: the same as post without a client certificate.
nobody() {
    STATUS=$(curl -s --cacert "$PKI/tls-root.pem" -o answer -w '%{http_code}' -H "Content-Type: $3" --data-binary "@$2" \
        "$REGISTRAR/.well-known/brski/$1")
}

# masa RESOURCE FILE TYPE [CURL OPTION...]
masa() {
    STATUS=$(curl -s --cacert "$MAKER/vendor.pem" -D headers -o answer -w '%{http_code}' -H "Content-Type: $3" \
        --data-binary "@$2" "${@:4}" "https://$MASA/.well-known/brski/$1")
}

@test "BRR-04a, BRR-04b, BRR-03c: whom the registrar refuses, by status" {
    registrar
    request cms
    make_idevid "$PKI" alien
    make_pledge "$MAKER" unlisted
    brski-pledge sign-request --idevid unlisted.pem --key unlisted.key --registrar-cert "$PKI/ra.pem" -o unlisted
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$PKI/tls-root.pem" -o elsewhere
    # Section 5.2 and 5.3.
    expect 403 nobody requestvoucher cms $CMS
    CERT=$PKI/alien expect 404 post requestvoucher cms $CMS
    CERT=unlisted expect 403 post requestvoucher unlisted $CMS
    expect 401 post requestvoucher elsewhere $CMS
    has Connection close
    has Content-Length 0
    [ "$(masa_events pledgeid)" = 0 ]
}

@test "BRR-01a, BRR-04c, BRR-04d: what the registrar takes and gives, by media type" {
    registrar
    request cms
    request jws --format jws
    echo junk >junk
    head -c 300000 /dev/zero >huge
    expect 415 post requestvoucher cms application/json
    expect 415 post requestvoucher cms ''
    expect 406 post requestvoucher cms $CMS -H 'Accept: text/html'
    expect 406 post requestvoucher cms $CMS -H "Accept: $CMS;q=0"
    expect 400 post requestvoucher junk $CMS
    expect 400 post requestvoucher cms $JWS
    expect 413 post requestvoucher huge $CMS
    expect 405 post requestvoucher cms $CMS -X GET
    has Allow POST
    [ "$(masa_events pledgeid)" = 0 ]

    # Section 5.6: the format of the answer is what Accept says, and that of the request without it.
    expect 200 post requestvoucher cms $CMS
    has Content-Type "$CMS"
    openssl cms -cmsout -inform DER -in answer -out /dev/null
    request cms
    expect 200 post requestvoucher cms 'Application/Voucher-CMS+JSON; charset=utf-8' -H 'Accept: */*'
    has Content-Type "$CMS"
    request cms
    expect 200 post requestvoucher cms $CMS -H "Accept: $CMS;q=0.5, $JWS"
    has Content-Type "$JWS"
    expect 200 post requestvoucher jws $JWS
    has Content-Type "$JWS"
    jq -e '.signatures | length == 1' answer
}

@test "BRR-13a, BRR-13b, BRR-13c: what the registrar answers to status messages, and logs of them" {
    registrar
    make_pledge "$MAKER" unlisted
    request cms
    expect 200 post requestvoucher cms $CMS

    # Sections 5.7 and 5.9.4.
    printf '{"version":1,"status":true,"reason":"fine","colour":"red"}' >good
    printf '{"version":1}' >bad
    for resource in voucher_status enrollstatus; do
        expect 200 post $resource good application/json
        expect 400 post $resource bad application/json
        expect 415 post $resource good text/plain
        expect 405 post $resource good application/json -X PUT
        expect 403 nobody $resource good application/json
        CERT=unlisted expect 404 post $resource good application/json
    done
    grep -q '"unknown":"colour"' "$PKI/relay.log"
    grep '"event":"enrollstatus"' "$PKI/relay.log" | grep -q '"certificateMatches":false'
}

@test "BRR-01a, BRR-01b: BRSKI and EST each stay where they are, in binary and in base64" {
    registrar
    request cms
    echo '{"version":1,"status":true}' >good
    expect 200 post requestvoucher cms $CMS
    openssl cms -cmsout -inform DER -in answer -out /dev/null

    # Section 5.
    expect 404 post cacerts good application/json
    [ "$(est_code requestvoucher)" = 404 ]
    [ "$(est_code cacerts)" = 200 ]
    openssl base64 -d -in est | openssl pkcs7 -inform DER -print_certs -noout
}

# signed_request: a registrar and its request for pledgeid, in the file signed, of which the MASA has granted one.
signed_request() {
    only_sqlite
    registrar
    request first
    expect 200 post requestvoucher first $CMS
    sqlite "$PKI/relay.db" "SELECT hex(registrar_request) FROM brski_devices" | basenc --base16 --decode >signed
}

# restart_masa [OPTION...]
restart_masa() {
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    start_masa "$MAKER" "$@"
}

# error STATUS COMMAND...: with text in UTF-8.
error() {
    expect "$@"
    has Content-Type text/plain
    iconv -f UTF-8 -t UTF-8 answer >/dev/null
    [ -s answer ]
}

@test "BRM-03d, BRM-03e, BRM-04b: what the MASA takes and gives, by media type" {
    signed_request
    # A registrar's request again is no attack: the voucher is for that registrar alone.
    expect 200 masa requestvoucher signed $CMS
    has Content-Type "$CMS"
    expect 200 masa requestvoucher signed $CMS -H "Accept: $JWS"
    has Content-Type "$JWS"
    expect 200 masa requestauditlog signed $CMS
    has Content-Type application/json
    jq -e '.version == 1 and (.events | length == 3) and (.events[0] | has("date") and has("domainID") and has("nonce") and has("assertion")) and .truncation' answer
    jq -e --arg id "$(openssl x509 -in "$PKI/ra.pem" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :' | basenc --base16 --decode | base64)" \
        'all(.events[]; .domainID == $id and .assertion == "proximity" and (.date | test("^20..-..-..T..:..:..Z$")))' answer
    jq -e --arg nonce "$(openssl cms -verify -noverify -inform DER -in first 2>/dev/null | jq -r '."ietf-voucher-request:voucher".nonce')" \
        'all(.events[]; .nonce == $nonce) and .truncation == {"nonced duplicates": 0, "nonceless duplicates": 0, "arbitrary": 0}' answer
    error 415 masa requestvoucher signed application/json
    error 406 masa requestvoucher signed $CMS -H 'Accept: text/html'
    expect 405 masa requestvoucher signed $CMS -X GET
    expect 404 masa voucher_status signed $CMS
    expect 400 masa requestvoucher first $JWS
    head -c 300000 /dev/zero >huge
    expect 413 masa requestvoucher huge $CMS
}

@test "BRM-03a, BRM-03b, BRM-03c: whom the MASA refuses, by status, in text" {
    signed_request
    # A pledge's own request is not a registrar's.
    error 403 masa requestvoucher first $CMS
    error 403 masa requestauditlog first $CMS
    # The last octets are the signature's.
    head -c -4 signed >changed
    printf '\1\2\3\4' >>changed
    error 403 masa requestvoucher changed $CMS
    grep -q signature answer
    echo "other,$(printf somebody | sha256sum | cut -d ' ' -f 1)" >owners
    restart_masa --owners owners --owners-only
    error 404 masa requestvoucher signed $CMS
    sqlite "$MAKER/masa.db" 'DELETE FROM masa_log'
    restart_masa
    error 404 masa requestauditlog signed $CMS
}
