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
    issue named /CN=named foreign subjectAltName=DNS:named.example.org extendedKeyUsage=clientAuth
    openssl req -new -key named.key -subj /CN=named -addext subjectAltName=DNS:named.example.org -out named.csr
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

is_asked() { # OPERATION TIMES
    [ "$(asked "[.[] | select(.operation == \"$1\")] | length")" = "$2" ]
}

@test "ESTC-02a, ESTC-06a, ESTC-07b: cacerts in every form that servers write" {
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
    est-enroll cacerts --server "$EST_URL" --explicit-ta ca.pem -o got.pem
    [ "$(asked '.[-1].path')" = '"/.well-known/est/cacerts"' ]
    [ "$(asked '[.[].method] | unique | join(" ")')" = '"GET"' ]
}

@test "ESTC-06b, ESTC-24a: only 200 is a success of cacerts" {
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

@test "ESTC-06b: a web page in place of the CA certificates is named, whatever it holds; so is another content type" {
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

@test "ESTC-01a, ESTC-02b: wrong URLs and labels are usage errors" {
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

@test "ESTC-03a, ESTC-03b, ESTC-04a: explicit anchors take the name or id-kp-cmcRA, implicit ones the name alone" {
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

@test "ESTC-04b, ESTC-14c: no password for a server that is not authorized" {
    echo secret >password
    use other "$OTHER"
    rules '{"simpleenroll": [{"basic": "joe:secret", "sign": true}]}'
    fails 69 tls simpleenroll --user joe --password-file password <dev.csr
    [ "$(asked length)" = 0 ]
}

@test "ESTC-05b, ESTC-08a, ESTC-08c: bootstrap by fingerprint: what has it is trusted, and what is below" {
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
}

@test "ESTC-05a, ESTC-05c: bootstrap asks nothing but cacerts until the fingerprint matches, then connects anew" {
    local print
    print=$(openssl x509 -in ca.pem -noout -fingerprint -sha256 | cut -d= -f2)
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}]}"
    est-enroll csrattrs --server "$PLAIN" --fingerprint "sha256:$print" --cert idevid.pem --key idevid.key -o got.der
    [ "$(asked '[.[].operation] | join(" ")')" = '"cacerts csrattrs"' ]
    [ "$(asked '.[0].connection != .[1].connection and .[0].client == null and .[1].client != null')" = true ]
    # A fingerprint that does not match ends it there.
    : >"$EST_DIR/log"
    run est-enroll csrattrs --json --server "$PLAIN" --fingerprint "sha256:$(printf '0%.0s' {1..64})"
    [ "$status" = 77 ]
    [ "$(asked '[.[].operation] | join(" ")')" = '"cacerts"' ]
    # The new TLS session is verified: this server's name is wrong.
    use other "$OTHER"
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}]}"
    run est-enroll csrattrs --json --server "$OTHER" --fingerprint "sha256:$print"
    [ "$status" = 69 ]
    [ "$(asked '[.[].operation] | join(" ")')" = '"cacerts"' ]
}

@test "ESTC-11a, ESTC-11b, ESTC-11c: csrattrs 204, 404, empty body and empty SEQUENCE ask for nothing; 202 and 401 are as ever" {
    local reply
    printf '\060\000' >empty.der
    for reply in '{"status": 204}' '{"status": 404}' '{"body": ""}' "{\"base64\": \"$PWD/empty.der\"}"; do
        rules "{\"csrattrs\": [$reply]}"
        enroll csrattrs -o got.der
        cmp got.der empty.der
    done
    rules '{"csrattrs": [{"status": 202, "headers": {"Retry-After": "1"}}, {"status": 204}]}'
    fails 75 deferred csrattrs
    rules '{"csrattrs": [{"basic": "joe:secret", "status": 204}]}'
    fails 77 unauthenticated csrattrs
    echo secret >password
    enroll csrattrs --user joe --password-file password -o got.der
    cmp got.der empty.der
    printf '0\v\6\t*\206H\206\367\r\1\t\7' >attributes.der # asks for a challengePassword
    rules "{\"csrattrs\": [{\"base64\": \"$PWD/attributes.der\"}]}"
    enroll csrattrs -o got.der
    cmp got.der attributes.der
    rules '{"csrattrs": [{"body": "MAsG"}]}'
    fails 76 csrattrs csrattrs
}

@test "ESTC-12a, ESTC-12b, ESTC-20a: simpleenroll sends what RFC 8951 wants, and takes any certs-only answer" {
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

@test "ESTC-26a, ESTC-20a: a certificate for another key is refused and nothing is written" {
    openssl crl2pkcs7 -nocrl -certfile idevid.pem -outform DER -out wrong.p7
    rules "{\"simpleenroll\": [{\"base64\": \"$PWD/wrong.p7\"}]}"
    fails 76 otherKey simpleenroll -o none.pem <dev.csr
    [ ! -e none.pem ]
}

@test "ESTC-20b: certificates beside the one that was asked for are tolerated, wherever they stand" {
    issue dev /CN=dev ca subjectAltName=DNS:dev.example.org
    openssl crl2pkcs7 -nocrl -certfile idevid.pem -certfile ca.pem -certfile dev.pem -outform DER -out more.p7
    cp dev.pem expected.pem
    rules "{\"simpleenroll\": [{\"base64\": \"$PWD/more.p7\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime\"}}]}"
    enroll simpleenroll -o dev.pem <dev.csr
    cmp <(openssl x509 -in dev.pem -outform DER) <(openssl x509 -in expected.pem -outform DER)
}

@test "ESTC-14a: a certificate is shown if there is one, without any password" {
    rules '{"simpleenroll": [{"sign": true}]}'
    enroll simpleenroll --cert idevid.pem --key idevid.key -o dev.pem <dev.csr
    asked '.[0].client' | grep -F D-1
    [ "$(asked '.[0].headers | has("Authorization")')" = false ]
}

@test "ESTC-17a, ESTC-18b, ESTC-19b: 202 with seconds, with a date, without and with a wrong Retry-After; same bytes again" {
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

@test "ESTC-23a, ESTC-23b, ESTC-17c: one shot ends with 75 and the time to come back; a deadline does, too" {
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

@test "ESTC-21a, ESTC-21b, ESTC-21c: errors: text, no content type, CMC by name and statusString; 4xx is 77, 5xx 69" {
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

@test "ESTC-21b: CMC errors that another implementation signed" {
    local shared=${ACMETOOL_SHARED:-$ROOT/../shared}/spec/examples/made name
    [ -d "$shared" ] || skip "no published vectors at ACMETOOL_SHARED"
    for name in badIdentity badRequest popFailed internalCAError; do
        rules "{\"simpleenroll\": [{\"status\": 400, \"file\": \"$shared/cmc-$name.b64\", \"headers\": {\"Content-Type\": \"application/pkcs7-mime; smime-type=CMC-response\"}}]}"
        fails 77 "$name" simpleenroll <dev.csr
    done
}

# logs_in AUTH FIRST REQUESTS: so many requests, the first of which logs in with FIRST; as many with a wrong password.
logs_in() {
    : >"$EST_DIR/log"
    enroll simpleenroll --auth "$1" --user joe --password-file password -o dev.pem <dev.csr
    [ "$(asked length)" = "$3" ]
    [ "$(asked '.[0].headers.Authorization // "nothing" | split(" ")[0]')" = "\"$2\"" ]
    : >"$EST_DIR/log"
    fails 77 unauthenticated simpleenroll --auth "$1" --user joe --password-file wrong <dev.csr
    [ "$(asked length)" = "$3" ]
}

@test "FLD-E4, ESTC-14b: Basic unasked, Digest when asked, and never twice the same" {
    echo secret >password
    echo wrong >wrong
    rules '{"simpleenroll": [{"basic": "joe:secret", "sign": true}]}'
    logs_in basic Basic 1
    logs_in any Basic 1
    fails 77 unauthenticated simpleenroll <dev.csr
    rules '{"simpleenroll": [{"digest": "joe:secret", "sign": true}]}'
    logs_in digest nothing 2
    logs_in any Basic 2
    fails 77 unauthenticated simpleenroll <dev.csr
    fails 77 unauthenticated simpleenroll --auth basic --user joe --password-file password <dev.csr
    run enroll simpleenroll --user joe <dev.csr
    [ "$status" = 64 ]
    run -1 grep -r secret "$EST_DIR/log"
}

@test "ESTC-15a, ESTC-16a, CSR-08a: with TLS 1.2 the CSR carries this connection's tls-unique" {
    use tls12 "$TLS12"
    rules '{"simpleenroll": [{"sign": true}]}'
    enroll simpleenroll --pop --csr-key dev.key -o dev.pem <dev.csr
    asked '.[0].body' | jq -r . | base64 -d | openssl req -inform DER -verify -noout -text >text
    [ "$(sed -n 's/.*challengePassword *://p' text)" = "$(asked '.[0].binding' | jq -r .)" ]
    grep -F dev.example.org text
    [ "$(sed -n 's/.*challengePassword *://p' text | base64 -d | wc -c)" = 12 ]
}

@test "ESTC-16b, ESTC-16c: with TLS 1.3 the CSR carries tls-exporter, unless an option limits TLS to 1.2" {
    use plain "$PLAIN"
    rules '{"simpleenroll": [{"sign": true}]}'
    enroll simpleenroll --pop --csr-key dev.key --tls-max 1.2 -o dev.pem <dev.csr
    asked '.[0].body' | jq -r . | base64 -d | openssl req -inform DER -noout -text >text
    [ "$(sed -n 's/.*challengePassword *://p' text)" = "$(asked '.[0].binding' | jq -r .)" ]
    [ "$(asked '.[0].tls')" = '"TLSv1.2"' ]
    enroll simpleenroll --pop --csr-key dev.key -o dev.pem <dev.csr
    [ "$(asked '.[1].tls')" = '"TLSv1.3"' ]
    asked '.[1].body' | jq -r . | base64 -d | openssl req -inform DER -noout -text >text
    [ "$(sed -n 's/.*challengePassword *://p' text | base64 -d | wc -c)" = 32 ]
    run enroll simpleenroll --pop <dev.csr
    [ "$status" = 64 ]
}

@test "ESTC-18a: a bound CSR is made anew, with the same key, for another connection" {
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

@test "ESTC-22a, ESTC-22b, ESTC-22c: redirects: the same origin is followed, another one for a POST only with consent" {
    rules "{\"simpleenroll\": [{\"status\": 307, \"headers\": {\"Location\": \"/.well-known/est/x/simplereenroll\"}}], \"simplereenroll\": [{\"sign\": true}]}"
    enroll simpleenroll -o dev.pem <dev.csr
    [ "$(asked '[.[].method] | unique | join(",")')" = '"POST"' ]
    rules "{\"simpleenroll\": [{\"status\": 302, \"headers\": {\"Location\": \"$TLS12/.well-known/est/simpleenroll\"}}]}"
    fails 77 redirectRefused simpleenroll -o none.pem <dev.csr
    printf '{"simpleenroll": [{"sign": true}]}' >"$BATS_FILE_TMPDIR/tls12/rules.json"
    enroll simpleenroll --allow-redirect --pop --csr-key dev.key -o dev2.pem <dev.csr
    openssl verify -CAfile ca.pem dev2.pem
    # The binding is that of the other server's connection.
    jq -s '.[-1].body' "$BATS_FILE_TMPDIR/tls12/log" | jq -r . | base64 -d | openssl req -inform DER -noout -text |
        sed -n 's/.*challengePassword *://p' >sent
    [ -s sent ]
    [ "$(cat sent)" = "$(jq -s '.[-1].binding' "$BATS_FILE_TMPDIR/tls12/log" | jq -r .)" ]
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

@test "ESTC-13a, ESTC-13b: simplereenroll asks for the same names, over TLS with the certificate renewed" {
    rules '{"simplereenroll": [{"sign": true}]}'
    fails 64 noCert simplereenroll <dev.csr
    fails 65 renewalNames simplereenroll --cert idevid.pem --key idevid.key <dev.csr
    openssl req -new -key dev.key -subj /CN=device/serialNumber=D-1 -out same.csr
    enroll simplereenroll --cert idevid.pem --key idevid.key -o new.pem <same.csr
    openssl verify -CAfile ca.pem new.pem
    asked '.[0].client' | grep -F D-1
    [ "$(asked length)" = 1 ]
}

@test "ESTC-10, ESTC-09a, ESTC-09b: run asks cacerts and csrattrs first, on one connection, and keeps the anchors" {
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
    # What is explicit now leaves nothing to what is implicit.
    run est-enroll cacerts --json --server "$TLS12" --explicit-ta foreign.pem --ca-file ca.pem
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "tls"'* ]]
    est-enroll cacerts --server "$TLS12" --explicit-ta anchors.pem --ca-file foreign.pem -o got.pem
    fails 73 fileExists run --new-key auto --key-out new.key --dns run.example.org
    fails 64 noKey run --new-key auto
}

@test "ESTC-15b, CSR-09e: a challengePassword that csrattrs asks for is the connection's binding, and there is none unasked" {
    openssl asn1parse -genstr 'OID:1.2.840.113549.1.9.7' -noout -out oid.der
    printf '\060\013' | cat - oid.der >attrs.der
    use tls12 "$TLS12"
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"base64\": \"$PWD/attrs.der\"}, {\"status\": 204}],
        \"simpleenroll\": [{\"sign\": true}]}"
    local i
    for i in 1 2; do
        enroll run --new-key auto --key-out "new$i.key" --dns run.example.org -o "run$i.pem"
        asked '.[-1].body' | jq -r . | base64 -d | openssl req -inform DER -noout -text | sed -n 's/.*challengePassword *://p' >"sent$i"
    done
    [ "$(cat sent1)" = "$(asked '[.[] | select(.operation == "simpleenroll")][0].binding' | jq -r .)" ]
    [ ! -s sent2 ]
}

@test "ESTC-23b, ESTC-18b, CSR-14: a run that was killed goes on with the same key and the same bytes" {
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

@test "OPR-51: a certificate that could not be written is delivered by the next run, which asks the server nothing" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}],
        \"simpleenroll\": [{\"sign\": true}, {\"status\": 403}]}"
    local options=(--new-key ec:P-256 --key-out k.key --dns full.example.org)
    fails 74 diskFull run "${options[@]}" -o /dev/full
    est-enroll status --json --cert full.pem --key k.key >status.json || [ "$?" = 1 ]
    grep -qF "a run got the certificate and has not written it: it is in k.key.journal" status.json
    : >"$EST_DIR/log"
    enroll run "${options[@]}" --fingerprint "sha256:$(sha256sum ca.der | cut -d ' ' -f 1)" -o full.pem
    [ ! -s "$EST_DIR/log" ]
    openssl verify -CAfile ca.pem full.pem
    openssl x509 -in full.pem -noout -pubkey | cmp - <(openssl pkey -in k.key -pubout)
    [ ! -e k.key.journal ]
}

@test "OPR-51: a certificate in a journal is not for other names, another server or a time after its end" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simpleenroll\": [{\"sign\": true}]}"
    local options=(--new-key ec:P-256 --key-out k.key --dns one.example.org)
    run -74 enroll run "${options[@]}" -o /dev/full
    cp k.key.journal journal
    enroll run --new-key ec:P-256 --key-out k.key --dns two.example.org -o two.pem
    openssl x509 -in two.pem -noout -ext subjectAltName | grep -F two.example.org
    [ "$(asked '[.[] | select(.operation == "simpleenroll")] | length')" = 2 ]

    cp journal k.key.journal
    use tls12 "$TLS12"
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simpleenroll\": [{\"status\": 403}]}"
    fails 77 refused run "${options[@]}" -o other.pem

    use plain "$PLAIN"
    openssl req -new -key k.key -subj /CN=old -out old.csr
    openssl x509 -req -in old.csr -CA ca.pem -CAkey ca.key -days -1 -out old.pem
    jq --rawfile old old.pem '.certificate = $old | .received = $old' journal >k.key.journal
    : >"$EST_DIR/log"
    enroll run "${options[@]}" -o again.pem
    [ "$(asked '[.[] | select(.operation == "simpleenroll")] | length')" = 1 ]
    openssl verify -CAfile ca.pem again.pem
}

@test "OPR-51: a certificate is on disk before anything else is asked, and the next run completes its chain" {
    issue sub '/CN=Sub CA' ca basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign subjectKeyIdentifier=hash
    openssl crl2pkcs7 -nocrl -certfile ca.pem -certfile sub.pem -outform DER -out both.p7
    csr-build --new-key ec:P-256 --key-out sub-dev.key --dns sub.example.org -o sub-dev.csr
    openssl x509 -req -in sub-dev.csr -CA sub.pem -CAkey sub.key -days 9 -copy_extensions copy -out sub-dev.pem
    openssl crl2pkcs7 -nocrl -certfile sub-dev.pem -outform DER -out sub-dev.p7
    local from=(--server "$EST_URL" --label "$LABEL" --explicit-ta ca.pem --csr-key sub-dev.key --dns sub.example.org
        --save-cacerts anchors.pem -o sub-new.pem)
    # The issuer is not among the CA certificates yet; the run is killed while it asks for them again.
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}, {\"base64\": \"$PWD/both.p7\", \"delay\": 30}],
        \"csrattrs\": [{\"status\": 204}], \"simpleenroll\": [{\"base64\": \"$PWD/sub-dev.p7\"}]}"
    est-enroll run "${from[@]}" 3>&- &
    local pid=$!
    wait_for 20 is_asked cacerts 2
    kill -9 "$pid"
    wait "$pid" || true
    jq -e '.received != "" and .certificate == ""' sub-dev.key.journal

    rules "{\"cacerts\": [{\"base64\": \"$PWD/both.p7\"}], \"simpleenroll\": [{\"status\": 403}]}"
    est-enroll run "${from[@]}"
    [ "$(asked '[.[] | select(.operation == "simpleenroll")] | length')" = 1 ]
    [ "$(grep -c BEGIN sub-new.pem)" = 2 ]
    openssl verify -CAfile ca.pem -untrusted sub-new.pem sub-new.pem
    [ "$(grep -c BEGIN anchors.pem)" = 2 ]
    [ ! -e sub-dev.key.journal ]
}

@test "OPR-53: a server that asks for the client certificate after the handshake gets it, and a refusal says who did not ask" {
    start_est "$PWD/late" tls --late
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simpleenroll\": [{\"late\": true, \"sign\": true}]}"
    enroll run --cert idevid.pem --key idevid.key --pop --new-key ec:P-256 --key-out late.key --dns late.example.org -o late.pem
    openssl verify -CAfile ca.pem late.pem
    [ "$(asked '[.[].client != null]' | jq -c .)" = '[false,false,true]' ]
    [ "$(asked '[.[].connection] | unique | length')" = 1 ]
    [ "$(asked '.[0].tls')" = '"TLSv1.3"' ]

    run enroll run --new-key ec:P-256 --key-out none.key --dns late.example.org -o none.pem
    [ "$status" = 77 ]
    [[ $output == *"did not ask for a client certificate on this connection"* && $output != *authenticated* ]]

    # One that asked in the handshake knows whom it refuses.
    use plain "$PLAIN"
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simpleenroll\": [{\"status\": 403}]}"
    run enroll run --cert idevid.pem --key idevid.key --new-key ec:P-256 --key-out no.key --dns late.example.org -o no.pem
    [ "$status" = 77 ]
    [[ $output == *"authenticated the client but refuses"* ]]
}

@test "ESTC-24a: a server that says in any way that it has no csrattrs enrols nevertheless" {
    local status
    for status in 404 405 501; do
        rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": $status}], \"simpleenroll\": [{\"sign\": true}]}"
        enroll run --new-key ec:P-256 --key-out "k$status.key" --dns "k$status.example.org" -o "k$status.pem"
        openssl verify -CAfile ca.pem "k$status.pem"
    done
}

@test "ESTC-23b: two runs on one journal: the second waits, says for whom, and goes on where the first was killed" {
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

@test "ESTC-23b: two renewals at once: the second finds the work done" {
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}],
        \"simplereenroll\": [{\"status\": 202, \"headers\": {\"Retry-After\": \"1\"}}]}"
    DAYS=2 issue twice /CN=twice.example.org foreign subjectAltName=DNS:twice.example.org extendedKeyUsage=clientAuth
    local options=(--cert twice.pem --key twice.key --new-key ec:P-256 --before 5d -o twice.pem)
    enroll renew "${options[@]}" 3>&- &
    local first=$!
    wait_for 20 grep -q simplereenroll "$EST_DIR/log"
    enroll renew -v --detailed-exitcode "${options[@]}" 2>second.err 3>&- &
    local second=$!
    wait_for 20 grep -q "waiting for another run" second.err
    # The first has its answer once the second waits.
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simplereenroll\": [{\"sign\": true}]}"
    wait "$first"
    local status=0
    wait "$second" || status=$?
    [ "$status" = 2 ]
    [ "$(asked '[.[] | select(.operation == "simplereenroll").body] | unique | length')" = 1 ]
    openssl verify -CAfile ca.pem twice.pem
    openssl x509 -in twice.pem -noout -pubkey | cmp - <(openssl pkey -in twice.key -pubout)
    run enroll renew --cert twice.pem --key twice.key --before 5d --detailed-exitcode
    [ "$status" = 2 ]
}

@test "FLD-A6: a renewal that fails is in the metrics, with what is known of the certificate that is there" {
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

@test "ESTC-13b, FLD-U9: renew: nothing before its time, then atomically, with a new key in the old one's place" {
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
    [ "$(asked '[.[] | select(.operation == "simplereenroll")] | length')" = 0 ]

    cp live.key old.key
    printf '#!/bin/sh\necho "$ACMETOOL_CERT $API_TOKEN" >hooked\n' >hook
    chmod +x hook
    API_TOKEN=one enroll renew --cert live.pem --key live.key --before 100d --new-key ec:P-256 --deploy-hook ./hook \
        --hook-env API_TOKEN -o live.pem 2>err
    grep -xE 'est-enroll: live.pem: renewed, valid until [0-9-]{10}T[0-9:]{8}Z' err
    openssl verify -CAfile ca.pem live.pem
    openssl x509 -in live.pem -noout -ext subjectAltName,basicConstraints -subject | grep -F live.example.org
    openssl x509 -in live.pem -noout -pubkey | cmp - <(openssl pkey -in live.key -pubout)
    run -1 cmp live.key old.key
    [ "$(stat -c %a live.key)" = 600 ]
    [ ! -e live.key.new ]
    [ ! -e live.key.journal ]
    [ "$(cat hooked)" = "live.pem one" ]
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
    rules '{"simpleenroll": [{"digest": "joe:secret", "sign": true}]}'
    echo secret >password
    run enroll simpleenroll --show flow --trace trace --user joe --password-file password -o dev.pem <dev.csr
    [ "$status" = 0 ]
    [[ "$output" == *"POST /simpleenroll"* && "$output" == *"EST"* ]]
    [ "$(wc -l <trace)" = 4 ]
    run -1 grep -E 'secret|Authorization|am9lOnNlY3JldA' trace
}

@test "FLD-E10, ESTC-26b: a certificate for another name, or without the name, is refused by each verb, and nothing is written" {
    local san
    cp named.pem named.before
    for san in DNS:other.example.org ""; do
        rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}],
                \"simpleenroll\": [{\"sign\": \"$san\"}], \"simplereenroll\": [{\"sign\": \"$san\"}]}"
        fails 76 certificateNames simpleenroll -o none.pem <dev.csr
        fails 76 certificateNames run --new-key ec:P-256 --key-out "new${#san}.key" --dns dev.example.org -o none.pem
        fails 76 certificateNames simplereenroll --cert named.pem --key named.key -o none.pem <named.csr
        fails 76 certificateNames renew --before 100d --cert named.pem --key named.key
        [ ! -e none.pem ]
        cmp named.pem named.before
    done
    rules '{"simpleenroll": [{"sign": "DNS:dev.example.org, DNS:more.example.org"}]}'
    enroll simpleenroll -o more.pem <dev.csr # a CA may add names
    grep -q CERTIFICATE more.pem
}

# listen CERTIFICATE [OPTION...]: openssl s_server with its log in heard; sets LISTENS.
listen() {
    local certificate=$1
    shift
    LISTENS=$(free_port)
    openssl s_server -accept "127.0.0.1:$LISTENS" -cert "$certificate.pem" -key "$certificate.key" -tlsextdebug "$@" \
        >heard 2>&1 3>&- &
    STARTED+=("$!")
    wait_for 20 grep -q ACCEPT heard
}

@test "ESTC-01b: a server that has TLS 1.1 alone is refused, whatever OpenSSL's configuration permits" {
    permit_old_tls weak.cnf
    export OPENSSL_CONF=$PWD/weak.cnf
    STARTED=()
    listen tls -tls1_1 -cipher ALL:@SECLEVEL=0 -www
    openssl s_client -connect "127.0.0.1:$LISTENS" -tls1_1 -cipher ALL:@SECLEVEL=0 -CAfile ca.pem </dev/null >seen 2>&1
    grep -F 'Protocol  : TLSv1.1' seen # others get in
    run est-enroll cacerts --json --server "https://127.0.0.1:$LISTENS" --explicit-ta ca.pem
    echo "$output"
    stop_all
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "tls"'* ]]
}

@test "FLD-E12: the chain is built from what is known: of the new certificate, and of the one that is shown" {
    issue sub '/CN=Sub CA' ca basicConstraints=critical,CA:TRUE
    issue dev /CN=dev sub subjectAltName=DNS:dev.example.org
    cat ca.pem sub.pem >anchors.pem
    openssl crl2pkcs7 -nocrl -certfile dev.pem -outform DER -out leaf.p7
    rules "{\"simpleenroll\": [{\"base64\": \"$PWD/leaf.p7\"}]}"
    est-enroll simpleenroll --server "$EST_URL" --label "$LABEL" --explicit-ta anchors.pem -o chain.pem <dev.csr
    [ "$(grep -c BEGIN chain.pem)" = 2 ]
    openssl verify -CAfile ca.pem -untrusted chain.pem chain.pem

    STARTED=()
    listen tls -CAfile ca.pem -Verify 3 -verify_return_error -www
    run est-enroll cacerts --server "https://127.0.0.1:$LISTENS" --explicit-ta anchors.pem --cert dev.pem --key dev.key
    stop_all
    cat heard
    grep -q 'depth=1 CN = Sub CA' heard
}

@test "FLD-E11: with a clock of 1970 the clock is the reason, and --no-clock goes without one" {
    issue sub '/CN=Sub CA' ca basicConstraints=critical,CA:TRUE
    openssl crl2pkcs7 -nocrl -certfile ca.pem -certfile sub.pem -outform DER -out both.p7
    rules "{\"cacerts\": [{\"base64\": \"$PWD/both.p7\"}], \"simpleenroll\": [{\"sign\": true}]}"
    in_1970() {
        FAKETIME_DONT_FAKE_MONOTONIC=1 at_clock '@1970-01-01 12:00:00' est-enroll "$@" --server "$EST_URL" --label "$LABEL" \
            --explicit-ta ca.pem
    }
    run in_1970 cacerts
    [ "$status" = 69 ]
    [[ $output == *"certificate is not yet valid"*"this clock is at 1970-01-01T"* ]]
    [[ $output == *"set the clock; --no-clock is for hosts without a clock"* ]]
    in_1970 cacerts --no-clock -o cas.pem
    [ "$(grep -c BEGIN cas.pem)" = 2 ]
    in_1970 run --no-clock --new-key ec:P-256 --key-out new.key --dns dev.example.org --save-cacerts saved.pem -o new.pem
    openssl verify -CAfile ca.pem new.pem
    [ "$(grep -c BEGIN saved.pem)" = 2 ]
    # Another CA is not believed for that, nor another name.
    run est-enroll cacerts --no-clock --server "$EST_URL" --label "$LABEL" --explicit-ta foreign.pem
    [ "$status" = 69 ]
    run est-enroll cacerts --no-clock --server "$OTHER" --label "$LABEL" --explicit-ta ca.pem
    [ "$status" = 69 ]
    # Whether a renewal is due needs a clock.
    run est-enroll renew --no-clock --server "$EST_URL" --cert idevid.pem --key idevid.key
    [ "$status" = 64 ]
}

@test "FLD-E11: the user hears of a client certificate that expired" {
    openssl x509 -x509toreq -in idevid.pem -signkey idevid.key -out old.csr 2>/dev/null
    at_clock -20d openssl x509 -req -in old.csr -CA foreign.pem -CAkey foreign.key -days 10 -out old.pem 2>/dev/null
    run enroll simpleenroll --cert old.pem --key idevid.key <dev.csr # which this server does not even read
    [ "$status" = 69 ]
    [[ $output == *"warning: --cert old.pem: the server may refuse it: it expired at "*"certificate has expired"* ]]
    rules '{"simpleenroll": [{"status": 401, "headers": {"Content-Type": "text/plain"}, "body": "it expired"}]}'
    run enroll simpleenroll --cert idevid.pem --key idevid.key <dev.csr
    [ "$status" = 77 ]
    [[ $output != *warning* ]]
    [[ $output == *"401: it expired"*"the server says why"* ]]
}

@test "FLD-E13, ESTC-25: explicit anchors are named in certificate_authorities, implicit ones are not" {
    STARTED=()
    listen tls -www
    run est-enroll cacerts --server "https://127.0.0.1:$LISTENS" --explicit-ta ca.pem
    stop_all
    grep -q 'extension "certificate authorities"' heard
    STARTED=()
    listen tls -www
    run est-enroll cacerts --server "https://127.0.0.1:$LISTENS" --ca-file ca.pem
    stop_all
    cat heard
    grep -q 'extension "supported_groups"' heard
    run ! grep -q 'extension "certificate authorities"' heard
}
