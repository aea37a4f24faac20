#!/usr/bin/env bats
# est-enroll against a scripted EST server that does what real servers do, right and wrong.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/est

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    est_world
    issue nobody /CN=nobody foreign extendedKeyUsage=clientAuth
    csr-build --new-key ec:P-256 --key-out dev.key --dns dev.example.org -o dev.csr
    start_est "$PWD/plain" tls
    PLAIN=$EST_URL
    start_est "$PWD/tls12" tls --tls 1.2
    TLS12=$EST_URL
    start_est "$PWD/other" other
    OTHER=$EST_URL
    start_est "$PWD/cmcra" cmcra
    CMCRA=$EST_URL
    export PLAIN TLS12 OTHER CMCRA PIDS="${STARTED[*]}"
}

teardown_file() {
    read -ra STARTED <<<"$PIDS"
    stop_all
}

setup() {
    cp -r "$BATS_FILE_TMPDIR"/*.{pem,key,csr,p7,der} "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return
    use plain "$PLAIN"
}

use() { # FOLDER URL: the server that rules and asked are about
    EST_DIR=$BATS_FILE_TMPDIR/$1 EST_URL=$2
    : >"$EST_DIR/log"
    LABEL=t$BATS_TEST_NUMBER$1
}

# enroll VERB OPTION...: with server, label and trust.
enroll() {
    local verb=$1
    shift
    est-enroll "$verb" --server "$EST_URL" --label "$LABEL" --explicit-ta ca.pem "$@"
}

fails() { # STATUS CODE VERB OPTION...
    local expected=$1 code=$2
    shift 2
    run enroll "$@" --json
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
}

@test "ESTC-02, ESTC-06, ESTC-07: cacerts in every form that servers write" {
    local form
    for form in lines crlf oneline pem der; do
        rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\", \"form\": \"$form\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime\"}}]}"
        enroll cacerts -o got.pem
        cmp <(openssl x509 -in got.pem -outform DER) ca.der
    done
    rules "{\"cacerts\": [{\"file\": \"$PWD/ca.der\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime\", \"Content-Transfer-Encoding\": \"binary\"}}]}"
    enroll cacerts --format der | cmp - ca.der
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\", \"chunked\": true, \"headers\": {\"Content-Type\": \"Application/PKCS7-MIME; smime-type=\\\"certs-only\\\"\"}}]}"
    enroll cacerts --format pkcs7 | openssl pkcs7 -print_certs | grep -F 'Test EST CA'
    enroll cacerts --json | jq -e '.type == "cacerts" and (.trusted | length == 1) and .trusted[0].selfSigned'
    [ "$(asked '.[0].path')" = "\"/.well-known/est/$LABEL/cacerts\"" ]
}

@test "ESTC-06, ESTC-24: only 200 is a success of cacerts" {
    local status
    for status in 204 202; do
        rules "{\"cacerts\": [{\"status\": $status, \"headers\": {\"Retry-After\": \"1\"}}]}"
        fails 76 protocol cacerts
    done
    rules '{"cacerts": [{"status": 404}]}'
    fails 77 notImplemented cacerts
    rules '{"cacerts": [{"status": 501, "body": "no such thing"}]}'
    fails 69 notImplemented cacerts
    [[ "$output" == *"no such thing"* ]]
    rules '{"cacerts": [{"body": "<html>hello</html>", "headers": {"Content-Type": "text/html"}}]}'
    fails 76 notCertsOnly cacerts -o none.pem
    [ ! -e none.pem ]
}

@test "ESTC-06: a web page in place of the CA certificates is named, whatever it holds; so is another content type" {
    { echo "<html><pre>" && cat ca.pem && echo "</pre></html>"; } >page.html
    rules "{\"cacerts\": [{\"file\": \"$PWD/page.html\", \"headers\": {\"Content-Type\": \"text/html; charset=utf-8\"}}]}"
    fails 76 notCertsOnly cacerts -o none.pem
    [[ "$output" == *"answered 200 with a web page (text/html)"* && "$output" == *"--label"* && "$output" == *"captive portal"* ]]
    rules '{"cacerts": [{"status": 511, "body": "<html>log in</html>", "headers": {"Content-Type": "text/html"}}]}'
    fails 69 unavailable cacerts
    [[ "$output" == *"answered 511: a web page (text/html)"* && "$output" == *"captive portal"* ]]
    rules '{"cacerts": [{"body": "hello", "headers": {"Content-Type": "text/plain"}}]}'
    fails 76 notCertsOnly cacerts
    [[ "$output" == *"answered 200 with text/plain"* ]]
}

@test "FLD-E1: a server in C, whose bodies end in NUL, is understood: cacerts, csrattrs, certificates" {
    printf '0\v\6\t*\206H\206\367\r\1\t\7' >attributes.der # asks for a challengePassword
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\", \"form\": \"nul\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime\"}}],
        \"csrattrs\": [{\"base64\": \"$PWD/attributes.der\", \"form\": \"nul\", \"headers\": {\"Content-Type\": \"application/csrattrs\"}}],
        \"simpleenroll\": [{\"sign\": true, \"form\": \"nul\"}]}"
    enroll cacerts -o got.pem
    cmp <(openssl x509 -in got.pem -outform DER) ca.der
    enroll csrattrs --json | jq -e '.challengePassword and .csrattrs == "MAsGCSqGSIb3DQEJBw=="'
    enroll simpleenroll -o dev.pem <dev.csr
    openssl verify -CAfile ca.pem dev.pem
}

@test "ESTC-02: wrong URLs and labels are usage errors" {
    rules '{}'
    run est-enroll cacerts --json
    [ "$status" = 64 ]
    run est-enroll cacerts --json --server http://127.0.0.1:1
    [ "$status" = 64 ]
    [[ "$output" == *notHttps* ]]
    run est-enroll cacerts --json --server "$EST_URL" --label simpleenroll
    [ "$status" = 64 ]
    [[ "$output" == *badLabel* ]]
    run est-enroll cacerts --json --server "$EST_URL" --label a/b
    [ "$status" = 64 ]
    [ "$(asked length)" = 0 ]
}

@test "ESTC-03, ESTC-04: explicit anchors take the name or id-kp-cmcRA, implicit ones the name alone" {
    local all="{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}]}"
    rules "$all"
    est-enroll cacerts --server "$PLAIN" --ca-file ca.pem -o got.pem
    run est-enroll cacerts --json --server "$PLAIN" --explicit-ta foreign.pem
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "tls"'* ]]
    run est-enroll cacerts --json --server "$PLAIN"
    [ "$status" = 69 ]
    est-enroll cacerts --server "$PLAIN" --explicit-ta foreign.pem --implicit-ta --ca-file ca.pem -o got.pem
    use cmcra "$CMCRA"
    rules "$all"
    est-enroll cacerts --server "$CMCRA" --explicit-ta ca.pem -o got.pem
    run est-enroll cacerts --json --server "$CMCRA" --ca-file ca.pem
    [ "$status" = 69 ]
    use other "$OTHER"
    rules "$all"
    run est-enroll cacerts --json --server "$OTHER" --explicit-ta ca.pem
    [ "$status" = 69 ]
    [[ "$output" == *"not for 127.0.0.1"* ]]
    [ "$(asked length)" = 0 ]
}

@test "ESTC-04, ESTC-14: no password for a server that is not authorized" {
    echo secret >password
    use other "$OTHER"
    rules '{"simpleenroll": [{"basic": "joe:secret", "sign": true}]}'
    fails 69 tls simpleenroll --user joe --password-file password <dev.csr
    [ "$(asked length)" = 0 ]
}

@test "ESTC-05, ESTC-08: bootstrap by fingerprint, nothing but cacerts until it matches" {
    local print
    print=$(openssl x509 -in ca.pem -noout -fingerprint -sha256 | cut -d= -f2)
    use other "$OTHER"
    openssl crl2pkcs7 -nocrl -certfile foreign.pem -certfile ca.pem -outform DER -out both.p7
    rules "{\"cacerts\": [{\"base64\": \"$PWD/both.p7\"}], \"csrattrs\": [{\"status\": 204}]}"
    est-enroll cacerts --server "$OTHER" --fingerprint "sha256:$print" --cert idevid.pem --key idevid.key -o got.pem
    cmp <(openssl x509 -in got.pem -outform DER) ca.der
    [ "$(grep -c BEGIN got.pem)" = 1 ]
    [ "$(asked '[.[].client] | all(. == null)')" = true ]
    print=$(openssl x509 -in ca.pem -noout -fingerprint -sha512 | cut -d= -f2 | tr -d :)
    est-enroll cacerts --server "$OTHER" --fingerprint "sha512:$print" -o got.pem
    run est-enroll cacerts --json --server "$OTHER" --fingerprint "sha256:$(printf '0%.0s' {1..64})" -o none.pem
    [ "$status" = 77 ]
    [[ "$output" == *'"code": "fingerprint"'* ]]
    [ ! -e none.pem ]
    run est-enroll cacerts --json --server "$OTHER" --fingerprint sha1:00
    [ "$status" = 64 ]
    # The new TLS session is verified: this server's name is wrong.
    : >"$EST_DIR/log"
    run est-enroll csrattrs --json --server "$OTHER" --fingerprint "sha512:$print"
    [ "$status" = 69 ]
    [ "$(asked '[.[].operation] | unique')" = "$(jq -n '["cacerts"]')" ]
}

@test "ESTC-10, ESTC-11: csrattrs 204, 404, empty body and empty SEQUENCE ask for nothing" {
    local reply
    printf '\060\000' >empty.der
    for reply in '{"status": 204}' '{"status": 404}' '{"body": ""}' "{\"base64\": \"$PWD/empty.der\"}"; do
        rules "{\"csrattrs\": [$reply]}"
        enroll csrattrs -o got.der
        cmp got.der empty.der
    done
    rules '{"csrattrs": [{"status": 202, "headers": {"Retry-After": "1"}}, {"status": 204}]}'
    fails 75 deferred csrattrs
    rules '{"csrattrs": [{"body": "MAsG"}]}'
    fails 76 csrattrs csrattrs
}

@test "ESTC-12, ESTC-20, ESTC-01: simpleenroll sends what RFC 8951 wants, and takes any certs-only answer" {
    local form
    for form in lines oneline pem der; do
        rules "{\"simpleenroll\": [{\"sign\": true, \"form\": \"$form\"}]}"
        enroll simpleenroll --cert idevid.pem --key idevid.key -o dev.pem <dev.csr
        openssl verify -CAfile ca.pem dev.pem
    done
    rules '{"simpleenroll": [{"sign": true, "headers": {"Content-Type": "APPLICATION/pkcs7-mime; smime-type=\"CERTS-only\""}}]}'
    enroll simpleenroll --json <dev.csr | jq -e '.type == "certificate" and .identifiers[0].value == "dev.example.org"'
    [ "$(asked '.[0].headers["Content-Type"]')" = '"application/pkcs10"' ]
    [ "$(asked '.[0].headers["Content-Transfer-Encoding"]')" = '"base64"' ]
    [ "$(asked '.[0].headers["Content-Length"] | tonumber')" = "$(asked '.[0].body | length')" ]
    asked '.[0].body' | jq -r . >body
    [ -z "$(awk 'length > 64' body)" ]
    cmp <(base64 -d body) <(openssl req -in dev.csr -outform DER)
    asked '.[0].client' | grep -F D-1
    asked '.[0].tls' | grep -F TLSv1.3
}

@test "ESTC-20: a certificate for another key is refused and nothing is written" {
    openssl crl2pkcs7 -nocrl -certfile idevid.pem -outform DER -out wrong.p7
    rules "{\"simpleenroll\": [{\"base64\": \"$PWD/wrong.p7\"}]}"
    fails 76 otherKey simpleenroll -o none.pem <dev.csr
    [ ! -e none.pem ]
}

@test "ESTC-17, ESTC-18, ESTC-19: 202 with seconds, with a date, without and with a wrong Retry-After; same bytes again" {
    rules "{\"simpleenroll\": [
        {\"status\": 202, \"headers\": {\"Retry-After\": \"1\"}},
        {\"status\": 202, \"headers\": {\"Retry-After\": \"$(LC_ALL=C date -u -d '+1 second' '+%a, %d %b %Y %H:%M:%S GMT')\"}, \"close\": true},
        {\"status\": 202},
        {\"status\": 202, \"headers\": {\"Retry-After\": \"soon\"}},
        {\"sign\": true}]}"
    run enroll simpleenroll --wait --retry-after 1s -o dev.pem <dev.csr
    echo "$output"
    [ "$status" = 0 ]
    openssl verify -CAfile ca.pem dev.pem
    [[ "$output" == *"without Retry-After"* && "$output" == *'the invalid Retry-After "soon"'* ]]
    [ "$(asked length)" = 5 ]
    [ "$(asked '[.[].body] | unique | length')" = 1 ]
}

@test "ESTC-23, ESTC-17: one shot ends with 75 and the time to come back; a deadline does, too" {
    rules '{"simpleenroll": [{"status": 202, "headers": {"Retry-After": "3600"}}]}'
    run enroll simpleenroll --json -o none.pem <dev.csr
    [ "$status" = 75 ]
    [ ! -e none.pem ]
    enroll simpleenroll --json -q <dev.csr >deferred || true
    jq -e '.type == "deferred" and .retryAfter == 3600 and (.retryAt | length == 20)' deferred
    [ "$(jq -r .csrSha256 deferred)" = "$(openssl req -in dev.csr -outform DER | sha256sum | cut -d' ' -f1)" ]
    [ "$(jq -r .url deferred)" = "$EST_URL/.well-known/est/$LABEL/simpleenroll" ]
    run enroll simpleenroll --wait --timeout 10s <dev.csr
    [ "$status" = 75 ]
    [ "$(asked length)" = 3 ]
}

@test "ESTC-21: errors: text, no content type, CMC by name and statusString; 4xx is 77, 5xx 69" {
    rules '{"simpleenroll": [{"status": 400, "body": "names\nare wrong", "headers": {"Content-Type": "text/plain"}}]}'
    fails 77 refused simpleenroll <dev.csr
    [[ "$output" == *"400: names are wrong"* ]]
    rules '{"simpleenroll": [{"status": 500, "body": "out of order"}]}'
    fails 69 unavailable simpleenroll <dev.csr
    [[ "$output" == *"500: out of order"* ]]
    rules '{"simpleenroll": [{"status": 503, "headers": {"Retry-After": "120"}}]}'
    fails 75 deferred simpleenroll <dev.csr
    rules '{"simpleenroll": [{"status": 429, "headers": {"Retry-After": "120"}}]}'
    fails 80 rateLimited simpleenroll <dev.csr
    # PKIResponse { statusInfoV2 { failed, bodyPartID 1, "no such device", failInfo badIdentity } }, made by hand
    cat >cmc.cnf <<'CNF'
asn1 = SEQUENCE:response
[response]
controls = SEQUENCE:controls
cms = SEQUENCE:none
other = SEQUENCE:none
[none]
[controls]
status = SEQUENCE:attribute
[attribute]
part = INTEGER:1
type = OID:1.3.6.1.5.5.7.7.25
values = SET:values
[values]
info = SEQUENCE:info
[info]
status = INTEGER:2
bodies = SEQUENCE:bodies
text = UTF8:no such device
fail = INTEGER:7
[bodies]
one = INTEGER:1
CNF
    openssl asn1parse -genconf cmc.cnf -noout -out cmc.der
    rules "{\"simpleenroll\": [{\"status\": 403, \"base64\": \"$PWD/cmc.der\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime; smime-type=CMC-response\"}}]}"
    fails 77 badIdentity simpleenroll <dev.csr
    [[ "$output" == *"no such device"* ]]
}

@test "ESTC-21: CMC errors that another implementation signed" {
    local shared=${ACMETOOL_SHARED:-$ROOT/../shared}/spec/examples/made name
    [ -d "$shared" ] || skip "no published vectors at ACMETOOL_SHARED"
    for name in badIdentity badRequest popFailed internalCAError; do
        rules "{\"simpleenroll\": [{\"status\": 400, \"file\": \"$shared/cmc-$name.b64\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime; smime-type=CMC-response\"}}]}"
        fails 77 "$name" simpleenroll <dev.csr
    done
}

@test "ESTC-14: Basic and Digest only when asked, and never twice the same" {
    echo secret >password
    echo wrong >wrong
    local how
    for how in basic digest; do
        rules "{\"simpleenroll\": [{\"$how\": \"joe:secret\", \"sign\": true}]}"
        : >"$EST_DIR/log"
        enroll simpleenroll --user joe --password-file password -o dev.pem <dev.csr
        [ "$(asked length)" = 2 ]
        [ "$(asked '.[0].headers.Authorization')" = null ]
        : >"$EST_DIR/log"
        fails 77 unauthenticated simpleenroll --user joe --password-file wrong <dev.csr
        [ "$(asked length)" = 2 ]
        fails 77 unauthenticated simpleenroll <dev.csr
    done
    fails 77 unauthenticated simpleenroll --auth basic --user joe --password-file password <dev.csr
    run enroll simpleenroll --user joe <dev.csr
    [ "$status" = 64 ]
    run -1 grep -r secret "$EST_DIR/log"
}

@test "ESTC-15, ESTC-16, CSR-08: with TLS 1.2 the CSR carries this connection's tls-unique" {
    use tls12 "$TLS12"
    rules '{"simpleenroll": [{"sign": true}]}'
    enroll simpleenroll --pop --csr-key dev.key -o dev.pem <dev.csr
    asked '.[0].body' | jq -r . | base64 -d | openssl req -inform DER -verify -noout -text >text
    [ "$(sed -n 's/.*challengePassword *://p' text)" = "$(asked '.[0].binding' | jq -r .)" ]
    grep -F dev.example.org text
    use plain "$PLAIN"
    rules '{"simpleenroll": [{"sign": true}]}'
    enroll simpleenroll --pop --csr-key dev.key --tls-max 1.2 -o dev.pem <dev.csr
    asked '.[0].body' | jq -r . | base64 -d | openssl req -inform DER -noout -text >text
    [ "$(sed -n 's/.*challengePassword *://p' text)" = "$(asked '.[0].binding' | jq -r .)" ]
    enroll simpleenroll --pop --csr-key dev.key -o dev.pem <dev.csr
    asked '.[1].body' | jq -r . | base64 -d | openssl req -inform DER -noout -text >text
    [ "$(sed -n 's/.*challengePassword *://p' text | base64 -d | wc -c)" = 32 ]
    run enroll simpleenroll --pop <dev.csr
    [ "$status" = 64 ]
}

@test "ESTC-18: a bound CSR is made anew, with the same key, for another connection" {
    use tls12 "$TLS12"
    rules '{"simpleenroll": [
        {"status": 202, "headers": {"Retry-After": "1"}}, {"status": 202, "headers": {"Retry-After": "1"}, "close": true}, {"sign": true}]}'
    enroll simpleenroll --wait --pop --csr-key dev.key -o dev.pem <dev.csr
    [ "$(asked length)" = 3 ]
    [ "$(asked '.[0].body == .[1].body')" = true ]
    [ "$(asked '.[1].body == .[2].body')" = false ]
    [ "$(asked '.[1].connection == .[2].connection')" = false ]
    local i
    for i in 0 2; do
        asked ".[$i].body" | jq -r . | base64 -d | openssl req -inform DER -noout -text | sed -n 's/.*challengePassword *://p' >sent
        [ "$(cat sent)" = "$(asked ".[$i].binding" | jq -r .)" ]
    done
    openssl x509 -in dev.pem -noout -pubkey | cmp - <(openssl pkey -in dev.key -pubout)
}

@test "ESTC-22: redirects: the same origin is followed, another one for a POST only with consent" {
    rules "{\"simpleenroll\": [{\"status\": 307, \"headers\": {\"Location\": \"/.well-known/est/x/simplereenroll\"}}], \"simplereenroll\": [{\"sign\": true}]}"
    enroll simpleenroll -o dev.pem <dev.csr
    [ "$(asked '[.[].method] | unique | join(",")')" = '"POST"' ]
    rules "{\"simpleenroll\": [{\"status\": 302, \"headers\": {\"Location\": \"$TLS12/.well-known/est/simpleenroll\"}}]}"
    fails 77 redirectRefused simpleenroll -o none.pem <dev.csr
    printf '{"simpleenroll": [{"sign": true}]}' >"$BATS_FILE_TMPDIR/tls12/rules.json"
    enroll simpleenroll --allow-redirect --pop --csr-key dev.key -o dev2.pem <dev.csr
    openssl verify -CAfile ca.pem dev2.pem
    use tls12 "$TLS12"
    rules '{"simpleenroll": [{"sign": true}]}'
    use plain "$PLAIN"
    rules "{\"simpleenroll\": [{\"status\": 302, \"headers\": {\"Location\": \"$OTHER/.well-known/est/simpleenroll\"}}]}"
    fails 69 tls simpleenroll --allow-redirect <dev.csr
    rules '{"cacerts": [{"status": 302, "headers": {"Location": "/.well-known/est/cacerts"}}]}'
    fails 76 redirect cacerts
    rules '{"cacerts": [{"status": 302, "headers": {"Location": "http://127.0.0.1/"}}]}'
    fails 76 redirect cacerts
}

@test "ESTC-13: simplereenroll asks for the same names, over TLS with the certificate renewed" {
    rules '{"simplereenroll": [{"sign": true}]}'
    fails 64 noCert simplereenroll <dev.csr
    fails 65 renewalNames simplereenroll --cert idevid.pem --key idevid.key <dev.csr
    openssl req -new -key dev.key -subj /CN=device/serialNumber=D-1 -out same.csr
    enroll simplereenroll --cert idevid.pem --key idevid.key -o new.pem <same.csr
    openssl verify -CAfile ca.pem new.pem
    asked '.[0].client' | grep -F D-1
    [ "$(asked length)" = 1 ]
}

@test "ESTC-10, ESTC-09, CSR-09: run asks cacerts and csrattrs first, on one connection, and keeps the anchors" {
    # challengePassword, as RFC 7030 section 4.5.2 asks for it
    openssl asn1parse -genstr 'OID:1.2.840.113549.1.9.7' -noout -out oid.der
    printf '\060\013' | cat - oid.der >attrs.der
    use tls12 "$TLS12"
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"base64\": \"$PWD/attrs.der\"}],
        \"simpleenroll\": [{\"status\": 202, \"headers\": {\"Retry-After\": \"1\"}}, {\"sign\": true}]}"
    enroll run --cert idevid.pem --key idevid.key --new-key auto --key-out new.key --dns run.example.org --save-cacerts anchors.pem -o run.pem
    openssl verify -CAfile anchors.pem run.pem
    [ "$(stat -c %a new.key)" = 600 ]
    [ ! -e new.key.journal ]
    openssl x509 -in run.pem -noout -pubkey | cmp - <(openssl pkey -in new.key -pubout)
    [ "$(asked '[.[].operation] | join(" ")')" = '"cacerts csrattrs simpleenroll simpleenroll"' ]
    [ "$(asked '[.[].connection] | unique | length')" = 1 ]
    asked '.[2].body' | jq -r . | base64 -d | openssl req -inform DER -noout -text | sed -n 's/.*challengePassword *://p' >sent
    [ "$(cat sent)" = "$(asked '.[2].binding' | jq -r .)" ]
    fails 73 fileExists run --new-key auto --key-out new.key --dns run.example.org
    fails 64 noKey run --new-key auto
}

@test "ESTC-23, ESTC-18, CSR-14: a run that was killed goes on with the same key and the same bytes" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}],
        \"simpleenroll\": [{\"status\": 202, \"headers\": {\"Retry-After\": \"600\"}}]}"
    enroll run --new-key ec:P-256 --key-out k.key --dns kill.example.org -o kill.pem 3>&- &
    local pid=$!
    wait_for 20 grep -q simpleenroll "$EST_DIR/log"
    pkill -9 -P "$pid" || kill -9 "$pid"
    wait "$pid" || true
    [ -e k.key.journal ]
    run -1 grep -q PRIVATE k.key.journal
    cp k.key before.key
    run enroll run --once --json --new-key ec:P-256 --key-out k.key --dns kill.example.org -o kill.pem
    [ "$status" = 75 ]
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simpleenroll\": [{\"sign\": true}]}"
    enroll run --new-key ec:P-256 --key-out k.key --dns kill.example.org -o kill.pem
    cmp k.key before.key
    [ "$(asked '[.[] | select(.operation == "simpleenroll").body] | length')" = 3 ]
    [ "$(asked '[.[] | select(.operation == "simpleenroll").body] | unique | length')" = 1 ]
    [ ! -e k.key.journal ]
}

@test "ESTC-23: two runs on one journal: the second waits, says for whom, and goes on where the first was killed" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}],
        \"simpleenroll\": [{\"status\": 202, \"headers\": {\"Retry-After\": \"40\"}}, {\"sign\": true}]}"
    local options=(--server "$EST_URL" --label "$LABEL" --explicit-ta ca.pem --new-key ec:P-256 --key-out k.key
        --dns two.example.org --timeout 60s -o two.pem)
    est-enroll run "${options[@]}" 3>&- &
    local first=$!
    wait_for 20 grep -q simpleenroll "$EST_DIR/log"
    est-enroll run -v "${options[@]}" 2>second.err 3>&- &
    local second=$!
    wait_for 20 grep -qF "waiting for another run (process $first) that holds k.key.journal.lock" second.err
    [ "$(asked '[.[] | select(.operation == "cacerts")] | length')" = 1 ]
    kill -9 "$first"
    wait "$second"
    openssl x509 -in two.pem -noout -pubkey | cmp - <(openssl pkey -in k.key -pubout)
    [ "$(asked '[.[] | select(.operation == "simpleenroll").body] | unique | length')" = 1 ]
    [ ! -e k.key.journal ]
}

@test "ESTC-23, ESTC-13: two renewals at once: the second finds the work done" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}],
        \"simplereenroll\": [{\"status\": 202, \"headers\": {\"Retry-After\": \"3\"}}, {\"sign\": true}]}"
    DAYS=2 issue twice /CN=twice.example.org foreign subjectAltName=DNS:twice.example.org extendedKeyUsage=clientAuth
    local options=(--cert twice.pem --key twice.key --new-key ec:P-256 --before 5d -o twice.pem)
    enroll renew "${options[@]}" 3>&- &
    local first=$!
    wait_for 20 grep -q simplereenroll "$EST_DIR/log"
    enroll renew -v --detailed-exitcode "${options[@]}" 2>second.err 3>&- &
    local second=$!
    wait_for 20 grep -q "waiting for another run" second.err
    wait "$first"
    local status=0
    wait "$second" || status=$?
    [ "$status" = 2 ]
    [ "$(asked '[.[] | select(.operation == "simplereenroll")] | length')" = 2 ]
    openssl verify -CAfile ca.pem twice.pem
    openssl x509 -in twice.pem -noout -pubkey | cmp - <(openssl pkey -in twice.key -pubout)
    run enroll renew --cert twice.pem --key twice.key --before 5d --detailed-exitcode
    [ "$status" = 2 ]
}

@test "FLD-A6, ESTC-13: a renewal that fails is in the metrics, with what is known of the certificate that is there" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simplereenroll\": [{\"status\": 403}]}"
    issue live /CN=live.example.org foreign subjectAltName=DNS:live.example.org extendedKeyUsage=clientAuth
    enroll renew --cert live.pem --key live.key --metrics-file m.prom
    cp m.prom old.prom
    grep -Fx 'acme_renewal_failed{file="live.pem"} 0' m.prom
    run enroll renew --cert live.pem --key live.key --before 100d --metrics-file m.prom
    [ "$status" = 77 ]
    diff old.prom m.prom >difference || true
    [ "$(grep '^>' difference)" = '> acme_renewal_failed{file="live.pem"} 1' ]
}

@test "ESTC-13: renew: nothing before its time, then atomically, with a new key in the old one's place" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simplereenroll\": [{\"sign\": true}]}"
    issue live /CN=live.example.org foreign subjectAltName=DNS:live.example.org extendedKeyUsage=clientAuth
    run enroll renew --cert live.pem --key live.key --json --metrics-file m.prom
    [ "$status" = 0 ]
    [[ "$output" == *'"changed": false'* ]]
    grep -F 'acme_certificate_expires_timestamp_seconds{file="live.pem"}' m.prom
    grep -Fx 'acme_renewal_failed{file="live.pem"} 0' m.prom
    run enroll renew --cert live.pem --key live.key --detailed-exitcode
    [ "$status" = 2 ]
    run enroll renew --cert live.pem --key live.key --check
    [ "$status" = 1 ]
    run enroll renew --cert live.pem --key live.key --check --before 100d
    [ "$status" = 0 ]
    run enroll renew --cert none.pem --key live.key --check
    [ "$status" = 255 ]
    [ "$(asked length)" = 0 ]

    cp live.key old.key
    printf '#!/bin/sh\necho "$ACMETOOL_CERT" >hooked\n' >hook
    chmod +x hook
    enroll renew --cert live.pem --key live.key --before 100d --new-key ec:P-256 --deploy-hook ./hook -o live.pem
    openssl verify -CAfile ca.pem live.pem
    openssl x509 -in live.pem -noout -ext subjectAltName,basicConstraints -subject | grep -F live.example.org
    openssl x509 -in live.pem -noout -pubkey | cmp - <(openssl pkey -in live.key -pubout)
    run -1 cmp live.key old.key
    [ "$(stat -c %a live.key)" = 600 ]
    [ ! -e live.key.new ]
    [ ! -e live.key.journal ]
    [ "$(cat hooked)" = live.pem ]
    asked '.[-1].client' | grep -F live.example.org
}

@test "renew: same key by default; a failing deploy hook has its own code; a refusal leaves everything as it was" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simplereenroll\": [{\"status\": 403, \"body\": \"revoked\"}, {\"sign\": true}]}"
    issue live /CN=live2.example.org foreign subjectAltName=DNS:live2.example.org
    cp live.pem old.pem
    cp live.key old.key
    fails 77 refused renew --cert live.pem --key live.key --before 100d -o live.pem
    cmp live.pem old.pem
    cmp live.key old.key
    fails 78 deployHookFailed renew --cert live.pem --key live.key --before 100d --deploy-hook /bin/false -o renewed.json
    jq -e '.type == "certificate" and .changed' renewed.json
    cmp live.key old.key
}

@test "client certificate and key: encrypted key, wrong passphrase, a key of another certificate" {
    rules '{"simpleenroll": [{"sign": true}]}'
    echo sesame >pass
    echo wrong >wrong
    openssl pkey -in idevid.key -aes256 -passout file:pass -out locked.key
    enroll simpleenroll --cert idevid.pem --key locked.key --key-passphrase-file pass -o dev.pem <dev.csr
    asked '.[0].client' | grep -F D-1
    run enroll simpleenroll --cert idevid.pem --key locked.key --key-passphrase-file wrong <dev.csr
    [ "$status" = 78 ]
    fails 78 tlsIdentity simpleenroll --cert idevid.pem --key dev.key <dev.csr
    fails 64 noKey simpleenroll --cert idevid.pem <dev.csr
}

@test "a connection that the server ends is opened again; an unreachable server is 69" {
    rules '{"simpleenroll": [{"drop": true}]}'
    fails 69 reset simpleenroll <dev.csr
    run est-enroll cacerts --json --server "https://127.0.0.1:$(free_port)" --explicit-ta ca.pem
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "connect"'* ]]
    run enroll cacerts --json --explicit-ta missing.pem
    [ "$status" = 78 ]
}

@test "the ladder shows the two parties; the trace has each message and no secret" {
    rules '{"simpleenroll": [{"basic": "joe:secret", "sign": true}]}'
    echo secret >password
    run enroll simpleenroll --show flow --trace trace --user joe --password-file password -o dev.pem <dev.csr
    [ "$status" = 0 ]
    [[ "$output" == *"POST /simpleenroll"* && "$output" == *"EST"* ]]
    [ "$(wc -l <trace)" = 4 ]
    run -1 grep -E 'secret|Authorization|am9l' trace
}
