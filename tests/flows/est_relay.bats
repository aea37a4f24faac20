#!/usr/bin/env bats
# Flow 4: devices enrol by EST through est-relay, with acme-ca and Knot behind it.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
}

teardown() {
    stop_all
}

relay() { # LINE...: of [est]
    write_relay_toml "$PKI" "$@"
    start_relay "$PKI"
}

# pending_order SECONDS: dev.csr waits for a CA that takes this long.
pending_order() {
    set_fault "processing=$1"
    relay 'wait = "200ms"' 'retry_after = "1s"'
    make_csr device0001.iot.domain.com dev.csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 202 ]
}

hang_up() { # WORDS: SIGHUP, until the log says them once more
    local before
    before=$(grep -c "\"msg\":\"$1" "$PKI/relay.log") || true
    kill -HUP "$RELAY_PID"
    wait_for 20 said_more "$1" "$before"
}
said_more() { (($(grep -c "\"msg\":\"$1" "$PKI/relay.log") > $2)); }

@test "ESTS-13b, INT-21a, FLD-E3: cacerts, csrattrs, enrol and re-enrol with curl and openssl" {
    relay
    est - cacerts
    [ "$STATUS" = 200 ]
    grep -qix $'content-type: application/pkcs7-mime\r' "$PKI/headers"
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out anchors.pem
    grep -q LAB anchors.pem

    est device0001 csrattrs
    [ "$STATUS" = 200 ]
    grep -qi '^content-type: application/csrattrs' "$PKI/headers"
    openssl base64 -d -in "$PKI/body" | openssl asn1parse -inform DER >/dev/null

    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    grep -qix $'content-type: application/pkcs7-mime; smime-type=certs-only\r' "$PKI/headers"
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out dev.pem
    [ "$(grep -c BEGIN dev.pem)" = 1 ]
    est - cacerts
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out anchors.pem
    openssl verify -CAfile anchors.pem dev.pem

    cp dev.pem "$PKI/ldevid.pem"
    cp dev.csr.key "$PKI/ldevid.key"
    make_csr device0001.iot.domain.com renew.csr dev.csr.key
    enrol ldevid simplereenroll renew.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 2 ]
}

@test "FLD-E7, FLD-E9: a request with the name in its CN only enrols, and renews although the CA dropped the subject" {
    relay
    printf '[label.strict]\ncn = "refuse"\n' >>"$PKI/relay.toml"
    hang_up reloaded
    openssl ecparam -genkey -name prime256v1 -noout -out dev.key
    openssl req -new -key dev.key -subj /CN=device0001.iot.domain.com -outform DER | openssl base64 >dev.csr
    est device0001 strict/simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 400 ]
    grep -F 'no subject alternative name' "$PKI/body"
    openssl req -new -key dev.key -subj /CN=device0002.iot.domain.com -outform DER | openssl base64 >other.csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @other.csr
    [ "$STATUS" = 403 ]
    [ "$(requests newOrder)" = 0 ]

    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/ldevid.pem"
    cp dev.key "$PKI/ldevid.key"
    openssl x509 -in "$PKI/ldevid.pem" -noout -ext subjectAltName | grep -F DNS:device0001.iot.domain.com
    openssl x509 -in "$PKI/ldevid.pem" -noout -subject | grep -qvF CN
    enrol ldevid simplereenroll dev.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 2 ]
    openssl req -new -key dev.key -subj /CN=device0001.iot.domain.com/O=other -outform DER | openssl base64 >other.csr
    est ldevid simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @other.csr
    [ "$STATUS" = 400 ]
    [ "$(requests newOrder)" = 2 ]
}

@test "ESTS-14, INT-11a, INT-12a: 202 with Retry-After while the CA works, one order" {
    pending_order 3
    grep -qi '^retry-after: [0-9]' "$PKI/headers"
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 1 ]
}

@test "FLD-E1: a client in C, whose request ends in NUL, is understood" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    printf '\0' >>dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 1 ]
}

# empty: the answer that came last has no body, and says so.
empty() {
    grep -qix $'content-length: 0\r' "$PKI/headers"
    ! grep -qi '^content-type' "$PKI/headers" || return 1
    [ ! -s "$PKI/body" ]
}

@test "FLD-E2: 401 and 202 have no body, the reason is in the log" {
    pending_order 2
    empty
    grep '"operation":"simpleenroll"' "$PKI/relay.log" | grep '"status":202' | grep -q '"decision":"pending"'
    est - simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 401 ]
    empty
    grep '"status":401' "$PKI/relay.log" | grep -q 'a client certificate or a login is required'
    est - simpleenroll -u swan:wrong -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 401 ]
    empty
}

@test "INT-01b, SEC-01, SEC-03: foreign names, foreign devices and nobody: refused, no order" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    make_csr device0002.iot.domain.com other.csr
    make_csr www.example.com foreign.csr
    enrol device0001 simpleenroll foreign.csr
    [ "$STATUS" = 403 ]
    enrol device0001 simpleenroll other.csr
    [ "$STATUS" = 403 ]
    enrol stranger9999 simpleenroll dev.csr
    [ "$STATUS" = 403 ]
    enrol - simpleenroll dev.csr
    [ "$STATUS" = 401 ]
    grep -qi '^www-authenticate: Basic' "$PKI/headers"
    est - csrattrs
    [ "$STATUS" = 401 ]
    empty
    run requests newOrder
    [ "$output" = 0 ]
}

@test "FLD-E4: csrattrs asks who is unknown for a password; curl and est-enroll learn the user's name and enrol" {
    relay
    local asks
    for asks in "-" "- -u swan:wrong" "- -u nobody:secret"; do
        # shellcheck disable=SC2086 # several words
        est ${asks%% *} csrattrs ${asks#-}
        [ "$STATUS" = 401 ]
        grep -qi '^www-authenticate: Basic' "$PKI/headers"
    done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/self.key" -out "$PKI/self.pem" \
        -subj /CN=self -days 2 2>/dev/null
    est self csrattrs
    [ "$STATUS" = 401 ]
    grep '"operation":"csrattrs"' "$PKI/relay.log" | tail -n 1 | grep -q 'nor by this relay'
    est - csrattrs --anyauth -u swan:secret
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | grep -aq device0007.iot.domain.com
    est device0001 csrattrs
    [ "$STATUS" = 200 ]

    echo secret >password
    est-enroll run --server "${RELAY%/.well-known*}" --explicit-ta "$PKI/tls-root.pem" --user swan --password-file password \
        --new-key ec:P-256 --key-out swan.key -o swan.pem
    [[ $(openssl x509 -in swan.pem -noout -ext subjectAltName) == *DNS:device0007.iot.domain.com* ]]

    # No password can be given where there are no users.
    sed -i '/clients.basic/,/^file/d' "$PKI/relay.toml"
    hang_up reloaded
    est - csrattrs
    [[ $STATUS == 20[04] ]]
}

# digest_line USER PASSWORD HASH NAMES: for a file of Digest users.
digest_line() {
    echo "$1:est:$(printf %s "$1:est:$2" | openssl dgst -r "-$3" | cut -d ' ' -f 1):$4"
}

# digest_relay [LINE...]: of [clients.digest]. The user swan has SHA-256 and MD5, cygnet MD5 alone.
digest_relay() {
    {
        digest_line swan secret sha256 device0007.iot.domain.com
        digest_line swan secret md5 device0007.iot.domain.com
        digest_line cygnet secret md5 device0008.iot.domain.com
    } >"$PKI/users.digest"
    chmod 600 "$PKI/users.digest"
    write_relay_toml "$PKI" 'wait = "20s"'
    sed -i '/clients.basic/,/^file/d' "$PKI/relay.toml"
    printf '[clients.digest]\nfile = "users.digest"\n' >>"$PKI/relay.toml"
    printf '%s\n' "$@" >>"$PKI/relay.toml"
    start_relay "$PKI"
}

# challenges: the schemes and algorithms of the answer that came last.
challenges() { sed -nE 's/^www-authenticate: (Digest|Basic).*(algorithm=[^,]*).*/\1 \2/ip' "$PKI/headers" | tr '\n' ';'; }

@test "FLD-E15, ESTS-28: HTTP Digest with curl, by SHA-256 and, if it is permitted, MD5" {
    digest_relay
    make_csr device0007.iot.domain.com dev.csr
    local post=(-H 'Content-Type: application/pkcs10' --data-binary @dev.csr)
    est - simpleenroll "${post[@]}"
    [ "$STATUS" = 401 ]
    [ "$(challenges)" = "Digest algorithm=SHA-256;" ]
    run ! grep -qi '^www-authenticate: basic' "$PKI/headers"
    est - csrattrs --digest -u swan:secret
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | grep -aq device0007.iot.domain.com
    est - simpleenroll --digest -u swan:secret "${post[@]}"
    [ "$STATUS" = 200 ]
    grep '"event":"decision"' "$PKI/relay.log" | tail -n 1 | grep -q '"device":"user:swan"'
    local user
    for user in swan:wrong nobody:secret cygnet:secret; do
        est - csrattrs --digest -u "$user"
        [ "$STATUS" = 401 ]
    done
    # The password itself is not taken where the file of [clients.basic] is absent.
    est - csrattrs --basic -u swan:secret
    [ "$STATUS" = 401 ]
    est - simpleenroll --basic -u swan:secret "${post[@]}"
    [ "$STATUS" = 401 ]

    echo 'md5 = true' >>"$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *"2 users"* && $output == *"md5 offers clients"* ]]
    hang_up reloaded
    est - csrattrs
    [ "$(challenges)" = "Digest algorithm=SHA-256;Digest algorithm=MD5;" ]
    # curl takes the first challenge; a client that has only MD5 sees one.
    sed -i '/^swan:est:[0-9a-f]\{64\}/d' "$PKI/users.digest"
    hang_up reloaded
    local nonce response
    nonce=$(sed -nE 's/^www-authenticate: digest .*MD5, nonce="([^"]*)".*/\1/ip' "$PKI/headers" | tr -d '\r')
    md5() { printf %s "$1" | openssl dgst -r -md5 | cut -d ' ' -f 1; }
    response=$(md5 "$(md5 cygnet:est:secret):$nonce:00000001:abc:auth:$(md5 GET:/.well-known/est/csrattrs)")
    est - csrattrs -H "Authorization: Digest username=\"cygnet\", realm=\"est\", nonce=\"$nonce\", uri=\"/.well-known/est/csrattrs\", qop=auth, nc=00000001, cnonce=\"abc\", response=\"$response\""
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | grep -aq device0008.iot.domain.com
}

# only_first USER PASSWORD: logs in as libest does: it answers the first challenge alone, by Basic or MD5; sets STATUS.
only_first() {
    local challenge nonce response md5=(openssl dgst -r -md5) path=/.well-known/est/csrattrs
    est - csrattrs
    [ "$STATUS" = 401 ]
    challenge=$(grep -im 1 '^www-authenticate:' "$PKI/headers" | tr -d '\r')
    case $challenge in
    *": Basic "*) est - csrattrs --basic -u "$1:$2" ;;
    *": Digest "*algorithm=MD5*)
        nonce=$(sed -E 's/.*nonce="([^"]*)".*/\1/' <<<"$challenge")
        hash() { printf %s "$1" | "${md5[@]}" | cut -d ' ' -f 1; }
        response=$(hash "$(hash "$1:est:$2"):$nonce:00000001:abc:auth:$(hash "GET:$path")")
        est - csrattrs -H "Authorization: Digest username=\"$1\", realm=\"est\", nonce=\"$nonce\", uri=\"$path\", cnonce=\"abc\", nc=00000001, qop=\"auth\", algorithm=\"MD5\", response=\"$response\""
        ;;
    *) echo "no challenge that it can answer: $challenge" ;;
    esac
}

@test "OPR-48, FLD-E15: a client that reads the first challenge alone logs in by MD5 or Basic, as first says" {
    digest_relay 'md5 = true'
    only_first cygnet secret
    [ "$STATUS" = 401 ]
    echo 'first = "basic"' >>"$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *'first: "basic" requires file in [clients.basic]'* ]]
    sed -i 's/^first = .*/first = "md5"/' "$PKI/relay.toml"
    hang_up reloaded
    only_first cygnet secret
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | grep -aq device0008.iot.domain.com
    # Others still have SHA-256.
    est - csrattrs
    [ "$(challenges)" = "Digest algorithm=MD5;Digest algorithm=SHA-256;" ]
    echo secret >password
    est-enroll csrattrs --server "${RELAY%/.well-known*}" --explicit-ta "$PKI/tls-root.pem" --user swan --password-file password \
        --auth digest -vv >attributes 2>log
    printf '[clients.basic]\nfile = "users"\n' >>"$PKI/relay.toml"
    sed -i 's/^first = .*/first = "basic"/' "$PKI/relay.toml"
    hang_up reloaded
    only_first swan secret
    [ "$STATUS" = 200 ]
    est - csrattrs
    [ "$(grep -ic '^www-authenticate: ' "$PKI/headers")" = 3 ]
    est - csrattrs --digest -u swan:secret
    [ "$STATUS" = 200 ]
}

@test "FLD-E15, ESTS-28: est-enroll logs in by Digest, one nonce for all its requests; the password stays at home" {
    digest_relay
    echo secret >password
    est-enroll run --server "${RELAY%/.well-known*}" --explicit-ta "$PKI/tls-root.pem" --user swan --password-file password \
        --auth digest --new-key ec:P-256 --key-out swan.key -o swan.pem -vv 2>log
    [[ $(openssl x509 -in swan.pem -noout -ext subjectAltName) == *DNS:device0007.iot.domain.com* ]]
    [ "$(grep -c '"status":401' "$PKI/relay.log")" = 1 ]
}

@test "FLD-E15, ESTS-28: a Digest response that comes again, or from before a restart, is stale" {
    digest_relay
    curl -sv --max-time 20 --cacert "$PKI/tls-root.pem" --digest -u swan:secret -o first "$RELAY/csrattrs" 2>sent
    local login
    login=$(sed -nE 's/^> (Authorization: Digest .*)/\1/p' sent | tr -d '\r' | tail -n 1)
    [[ $login == *nonce=* ]]
    est - csrattrs -H "$login"
    [ "$STATUS" = 401 ]
    grep -qi '^www-authenticate: digest .*stale=true' "$PKI/headers"
    grep '"operation":"csrattrs"' "$PKI/relay.log" | tail -n 1 | grep -q 'the login was used before'
    # With the next count it would be another login, for which the password is needed.
    est - csrattrs -H "${login/nc=00000001/nc=00000002}"
    [ "$STATUS" = 401 ]
    run ! grep -qi 'stale=true' "$PKI/headers"
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    start_relay "$PKI"
    est - csrattrs -H "$login"
    [ "$STATUS" = 401 ]
    grep -qi '^www-authenticate: digest .*stale=true' "$PKI/headers"
    est - csrattrs --digest -u swan:secret
    [ "$STATUS" = 200 ]
}

@test "SEC-16, FLD-E15: wrong Digest responses: a limit for an address, and others go on" {
    digest_relay
    # On one connection, so that a slow machine does not take a second for each.
    local urls=() i user
    for i in $(seq 12); do urls+=("$RELAY/csrattrs?$i"); done
    for user in swan nobody; do
        curl -s --max-time 60 --cacert "$PKI/tls-root.pem" --digest -u "$user:wrong" -D "$PKI/headers" -w '\n%{http_code}' \
            "${urls[@]}" >>codes
    done
    grep -qx 401 codes
    [ "$(tail -n 1 codes)" = 429 ]
    grep -qi '^retry-after: [1-9]' "$PKI/headers"
    est - csrattrs --digest -u swan:secret --interface 127.0.0.2 # another address of this host
    [ "$STATUS" = 200 ]
    est device0001 csrattrs
    [ "$STATUS" = 200 ]
}

@test "ESTS-06a, ESTS-21a, ESTS-21b: wrong type, method, path, size and slowness" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    est device0001 simpleenroll -H 'Content-Type: text/plain' --data-binary @dev.csr
    [ "$STATUS" = 415 ]
    est device0001 simpleenroll
    [ "$STATUS" = 405 ]
    est device0001 serverkeygen
    [ "$STATUS" = 404 ]
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary 'bm90IGEgQ1NS'
    [ "$STATUS" = 400 ]
    head -c 100000 /dev/zero >big
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @big
    [ "$STATUS" = 413 ]
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' -H 'Transfer-Encoding: chunked' --data-binary @dev.csr
    [[ $STATUS == 20[02] ]]
    # A request that never ends is cut off while others are served.
    mkfifo endless
    timeout 60 openssl s_client -quiet -connect "127.0.0.1:$RELAY_PORT" <endless >/dev/null 2>&1 3>&- &
    local slow=$! code=0
    exec 7>endless
    printf 'GET /' >&7
    est - cacerts
    [ "$STATUS" = 200 ]
    wait "$slow" || code=$?
    exec 7>&-
    [ "$code" != 124 ]
    [ "$(jq -s 'map(select(.event == "request")) | length' "$PKI/relay.log")" -ge 6 ]
}

@test "SIGHUP takes a new certificate and keeps the old one after a mistake" {
    relay
    served() { openssl s_client -connect "127.0.0.1:$RELAY_PORT" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
    local before
    before=$(served)
    make_tls "$PKI"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q '"msg":"reloaded' "$PKI/relay.log"
    [ "$(served)" != "$before" ]
    before=$(served)
    echo 'wiat = "2s"' >>"$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q 'not reloaded' "$PKI/relay.log"
    [ "$(served)" = "$before" ]
    est - cacerts
    [ "$STATUS" = 200 ]
    grep -q '"request_id"' "$PKI/relay.log"
}

@test "SEC-07, INT-01a, ESTS-21b: SIGHUP takes other limits, labels, policies and domains" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    make_csr device0001.iot.domain.com second.csr
    make_csr device0001.new.domain.com new.csr
    est device0001 fast/csrattrs
    [ "$STATUS" = 404 ]
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @new.csr
    [ "$STATUS" = 403 ]
    RELAY_LIMITS=$'body = "1KiB"\norders_per_device = 1' write_relay_toml "$PKI"
    printf '[label.fast]\nkey_type = "rsa:2048"\n' >>"$PKI/relay.toml"
    hang_up reloaded
    est device0001 fast/csrattrs
    [ "$STATUS" = 200 ]
    head -c 2000 /dev/zero >big
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @big
    [ "$STATUS" = 413 ]
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    enrol device0001 simpleenroll second.csr
    [ "$STATUS" = 429 ]

    RELAY_DOMAIN=new.domain.com write_relay_toml "$PKI" 'pop = "required"'
    hang_up reloaded
    est device0001 fast/csrattrs
    [ "$STATUS" = 404 ]
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @second.csr
    [ "$STATUS" = 403 ]
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @new.csr
    [ "$STATUS" = 400 ]
    RELAY_DOMAIN=new.domain.com write_relay_toml "$PKI"
    hang_up reloaded
    enrol device0001 simpleenroll new.csr
    [ "$STATUS" = 200 ]
    curl -sf "$RELAY_ADMIN/status" | jq -e '.issuer.authorizations | keys == ["new.domain.com"]'
}

@test "INT-12b, INT-16a: SIGHUP with another issuer while an order is under way: it is continued, not repeated" {
    pending_order 4
    wait_for 60 grep -q '"resource":"finalize"' "$CA_LOG"
    RELAY_LIMITS='requests_in_flight = 7' write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    hang_up reloaded
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 1 ]
}

@test "SIGHUP: what only a restart can change is named and stays; after any error everything does" {
    only_sqlite
    relay
    local port=$RELAY_PORT
    RELAY_PORT=$(free_port) RELAY_LIMITS='threads = 3' write_relay_toml "$PKI"
    printf '[store]\nsqlite = "other.db"\n' >>"$PKI/relay.toml"
    hang_up reloaded
    grep -qF "[listen] est changes with a restart only: 127.0.0.1:$port stays" "$PKI/relay.log"
    grep -qF "[store] sqlite changes with a restart only: $PKI/relay.db stays" "$PKI/relay.log"
    grep -qF "[limits] threads changes with a restart only: 2 stays" "$PKI/relay.log"
    RELAY="https://127.0.0.1:$port/.well-known/est"
    est - cacerts
    [ "$STATUS" = 200 ]
    [ ! -e "$PKI/other.db" ]

    # Each of these has a good part, too, which must not be taken.
    local broken
    for broken in 's/"maker.pem"/"none.pem"/' 's/"ra.pem"/"none.pem"/' 's/^root = .*/root = "none.pem"/' \
        's/^account = .*/account = "none.json"/' 's/^request = /requst = /' 's/^tsig_key = .*/tsig_key = "none.key"/'; do
        RELAY_PORT=$port RELAY_LIMITS='body = "1KiB"' write_relay_toml "$PKI"
        printf '[label.fast]\n' >>"$PKI/relay.toml"
        sed -i "$broken" "$PKI/relay.toml"
        hang_up 'not reloaded, the old configuration remains in use: '
        est device0001 fast/csrattrs
        [ "$STATUS" = 404 ]
        head -c 2000 /dev/zero >big
        est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @big
        [ "$STATUS" = 400 ]
    done
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
}

@test "INT-12b, INT-16a: after kill -9 the pending order is continued, not repeated" {
    pending_order 4
    wait_for 60 grep -q '"resource":"finalize"' "$CA_LOG"
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" || true
    start_relay "$PKI"
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 1 ]
}

closed() { # CURL OPTION...: the relay answers nothing
    run curl -s --max-time 20 --cacert "$PKI/tls-root.pem" "$@" "$RELAY/cacerts"
    [ "$status" != 0 ]
    [ -z "$output" ]
}

# behind_haproxy [WORD...]: HAProxy in front of the relay, with these words for its server; RELAY and HAPROXY_PID
behind_haproxy() {
    local port
    port=$(free_port)
    cat >haproxy.cfg <<EOF
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen relay
    bind 127.0.0.1:$port
    server relay 127.0.0.1:$RELAY_PORT $*
EOF
    haproxy -db -f haproxy.cfg 3>&- 2>haproxy.err &
    HAPROXY_PID=$!
    STARTED+=("$HAPROXY_PID")
    wait_for 20 eval "[ -n \"\$(ss -Hltn 'sport = :$port')\" ]" # a connection would be passed on
    RELAY="https://127.0.0.1:$port/.well-known/est"
    HAPROXY_PORT=$port
}

@test "SEC-07, ESTS-22: behind HAProxy the log names the device's address and limits count it; others send no PROXY header" {
    local sent
    for sent in send-proxy send-proxy-v2; do
        RELAY_LIMITS='connections_per_address = 1' write_relay_toml "$PKI"
        sed -i '/^\[listen\]/a proxy_protocol = ["127.0.0.1"]' "$PKI/relay.toml"
        start_relay "$PKI"
        behind_haproxy "$sent"
        est - cacerts --interface 127.0.0.9
        [ "$STATUS" = 200 ]
        grep '"event":"request"' "$PKI/relay.log" | tail -n 1 | jq -e '.address == "127.0.0.9"'
        # One connection that stands is its device's, not the balancer's.
        mkfifo "open.$sent"
        timeout 60 openssl s_client -quiet -bind 127.0.0.7:0 -connect "127.0.0.1:$HAPROXY_PORT" <"open.$sent" >/dev/null 2>&1 3>&- &
        exec 7>"open.$sent"
        wait_for 20 eval 'curl -s "$RELAY_ADMIN/status" | jq -e ".connections.open == 1"'
        est - cacerts --interface 127.0.0.8
        [ "$STATUS" = 200 ]
        closed --interface 127.0.0.7
        exec 7>&-
        # Straight to the relay: from the balancer's address not without a header, from another one not with it.
        RELAY="https://127.0.0.1:$RELAY_PORT/.well-known/est"
        closed
        closed --interface 127.0.0.6 --haproxy-protocol
        est - cacerts --interface 127.0.0.6
        [ "$STATUS" = 200 ]
        curl -sf "$RELAY_ADMIN/status" | jq -e '.connections.proxyFailures == 1'
        kill "$RELAY_PID" "$HAPROXY_PID"
        wait "$RELAY_PID"
    done
    sed -i 's/^proxy_protocol.*/proxy_protocol = ["lb.example"]/' "$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"relay.toml:$(grep -n lb.example "$PKI/relay.toml" | cut -d: -f1):"*'"lb.example": not an IP address'* ]]
    est-relay check --config "$PKI/relay.toml" --explain | grep -q proxy_protocol
}

@test "OPR-47: HAProxy that sends no PROXY header: the log says so, and what to do" {
    write_relay_toml "$PKI"
    sed -i '/^\[listen\]/a proxy_protocol = ["127.0.0.1"]' "$PKI/relay.toml"
    start_relay "$PKI"
    behind_haproxy
    closed --interface 127.0.0.9
    wait_for 20 grep -q '"event":"handshake"' "$PKI/relay.log"
    grep '"event":"handshake"' "$PKI/relay.log" | jq -e '.cause == "proxy_header" and .address == "127.0.0.1" and .times == 1'
    warnings() { est-relay events --config "$PKI/relay.toml" --level warning; }
    wait_for 20 eval 'warnings | grep -q handshake'
    warnings | tr -s ' \n' ' ' >said
    cat said
    grep -q 'the load balancer cannot be used: PROXY header: .* next: have the load balancer 127.0.0.1 send it (send-proxy-v2' said
}

@test "SIGTERM answers what is under way, then ends with 0" {
    set_fault processing=30
    relay 'wait = "3s"'
    make_csr device0001.iot.domain.com dev.csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr &
    local client=$!
    wait_for 20 grep -q '"resource":"newOrder"' "$CA_LOG"
    kill -TERM "$RELAY_PID"
    wait "$RELAY_PID"
    wait "$client"
    grep -q '^HTTP/1.1 202' "$PKI/headers"
}

@test "ESTS-10a, INT-11a: strongSwan's pki gets CA certificates and enrols, with 202 and without" {
    set_fault processing=2
    relay 'wait = "200ms"' 'retry_after = "1s"'
    local url="https://127.0.0.1:$RELAY_PORT"
    pki --estca --url "$url" --cacert "$PKI/tls-root.pem" --caout strongswan-ca.pem --outform pem --force
    ls strongswan-ca*
    make_csr device0007.iot.domain.com dev.csr
    openssl base64 -d -in dev.csr >dev.der
    local options=(--est --in dev.der --url "$url" --cacert "$PKI/tls-root.pem" --cacert "$CA_ROOT" --outform pem)
    pki "${options[@]}" --userpass swan:secret --interval 1 --maxpolltime 60 >dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -q device0007.iot.domain.com
    pki "${options[@]}" --userpass swan:secret >again.pem
    cmp dev.pem again.pem
}

@test "SEC-08, SEC-12: check names what is wrong, --online asks CA and DNS, status asks the relay" {
    write_relay_toml "$PKI"
    run est-relay check --config "$PKI/relay.toml" --online --json
    [ "$status" = 0 ]
    [ "$(jq -r .type <<<"$output")" = check ]
    jq -e '.findings[] | select(.subject == "clock" and .verdict == "ok")' <<<"$output"
    jq -e '.findings[] | select(.message == "a validation record was set and removed")' <<<"$output"
    jq -e '.findings[] | select(.verdict == "warn" and .subject == "dns")' <<<"$output"
    run jq -e '.findings[] | select(.message | contains("registered domain"))' <<<"$output"
    [ "$status" != 0 ]
    [ -z "$(txt_values _acme-challenge.iot.domain.com)" ]
    run est-relay status --config "$PKI/relay.toml"
    [ "$status" = 69 ]
    start_relay "$PKI"
    run est-relay status --config "$PKI/relay.toml" --json
    [ "$status" = 0 ]
    curl -sf "$RELAY_ADMIN/readyz"
    curl -sf "$RELAY_ADMIN/metrics" | tail -n 1 | grep -qx '# EOF'
    rm "$PKI/maker.pem"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"fail  clients.idevid"* ]]
}

@test "SEC-09: the account's key is encrypted: a passphrase file opens it, without one check and serve say so" {
    ACCOUNT=$PWD/locked.json
    (umask 077 && echo "correct horse CANARY" >pass)
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --account "$ACCOUNT" \
        --account-passphrase-file pass -o registered.json
    grep -F "BEGIN ENCRYPTED PRIVATE KEY" locked.key
    write_relay_toml "$PKI"
    local command
    for command in check serve; do
        run est-relay "$command" --config "$PKI/relay.toml"
        [ "$status" = 78 ]
        [[ $output == *"locked.key: the private key is encrypted"* && $output == *"account_passphrase_file in [acme]"* ]]
    done
    sed -i "s|^account = .*|&\naccount_passphrase_file = \"$PWD/pass\"|" "$PKI/relay.toml"
    echo "wrong" >wrong
    sed "s|$PWD/pass|$PWD/wrong|" "$PKI/relay.toml" >"$PKI/wrong.toml"
    run est-relay check --config "$PKI/wrong.toml"
    [ "$status" = 78 ]
    [[ $output == *"wrong passphrase"* ]]
    start_relay "$PKI"
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    run grep -r CANARY "$PKI"
    [ "$status" = 1 ]
    sed -i '/^account = /d' "$PKI/relay.toml"
    sed -i 's|^account_passphrase_file|issuer = "/bin/true"\n&|' "$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"account_passphrase_file: requires account"* ]]
}

@test "INT-22c, SEC-08: check compares the root with the CA's chain, and warns of registered domains and public suffixes" {
    relay
    checked() { est-relay check --config "$PKI/relay.toml" --json | jq -r '.findings[] | .verdict + " " + .subject + ": " + .message'; }
    checked | grep -q '^warn cacerts: no intermediate of the CA is known yet'
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    checked | grep -q '^ok cacerts: 1 of the CA.s 1 intermediates'
    sed -i 's|^root = .*|root = "tls-root.pem"|; s|^name = .*|name = "domain.co.uk"|' "$PKI/relay.toml"
    checked >findings
    grep -q '^fail cacerts: none of the CA.s 1 intermediates leads to this root' findings
    grep -q '^warn domain domain.co.uk: a whole registered domain is authorized' findings
    sed -i 's|^name = .*|name = "co.uk"|' "$PKI/relay.toml"
    checked | grep -q '^warn domain co.uk: is a public suffix'
}
