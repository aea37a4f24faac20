#!/usr/bin/env bats
# What a client says to any server, and what servers and proxies answer that no CA should; a scripted peer.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.pem \
        -subj "/CN=odd" -addext "subjectAltName=IP:127.0.0.1" -days 2 2>/dev/null
}

teardown() {
    stop_all
}

odd_ca() { # MODE...
    rm -f port # of the server before
    python3 "$ROOT/tests/lib/odd_ca.py" tls.pem tls.key requests.jsonl "$@" >port 2>odd.err &
    STARTED+=($!)
    wait_for 10 grep -q . port
    DIRECTORY="https://127.0.0.1:$(cat port)/directory"
}

register() { # OPTION...
    acme-account register --json --directory "$DIRECTORY" --ca-file tls.pem "$@"
}

fails_with() { # STATUS CODE [OPTION...]
    local expected=$1 code=$2
    shift 2
    run register "$@"
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
}

@test "ACME-02a, ACME-02b: who asks, and in which language" {
    odd_ca
    register -o a.json
    jq -se 'length == 3 and all(.[]; .headers["User-Agent"] | test("^acme-integrations/[0-9]"))' requests.jsonl
    jq -se 'all(.[]; .headers["Accept-Language"] == "en")' requests.jsonl
}

@test "ACME-03a, ACME-03b, ACME-05c: how the directory is read, whose URLs are used, and the type of signed requests" {
    odd_ca
    register -o a.json
    [ "$(jq -r '.method + " " + .path' requests.jsonl | xargs)" = "GET /directory HEAD /nonce POST /account" ]
    jq -se '.[2].headers["Content-Type"] == "application/jose+json" and (.[2].headers | has("Expect") | not)' requests.jsonl
    jq -se '.[2].protected | .alg == "ES256" and has("jwk") and (has("kid") | not) and (.url | endswith("/account"))' requests.jsonl
}

@test "ACME-10c: newNonce may answer HEAD with 204" {
    odd_ca nonce204
    register -o a.json
    jq -e '.created' a.json
}

@test "FAULT-12: a directory that moved is 76 with the place it leads to; one that is none, likewise" {
    odd_ca redirect
    fails_with 76 notADirectory
    [[ "$output" == *"/moved"* ]]
    [ "$(grep -c . requests.jsonl)" = 1 ]
    odd_ca relative
    fails_with 76 noLocation
}

@test "FAULT-11: too many header fields and one that is too long end in an error, as does one that is none; a folded one is taken" {
    odd_ca headers
    fails_with 76 bodyTooLarge
    odd_ca longHeader
    fails_with 76 notHttp
    odd_ca badHeader
    fails_with 76 notHttp
    odd_ca folded
    register -o a.json
}

@test "ACME-12b, ACME-12c, FAULT-09: Retry-After on 403, 429 and 503: each its own exit status, the time in each document, one request" {
    local pair
    for pair in 403:77 429:80 503:75; do
        rm -f requests.jsonl
        odd_ca "retry=${pair%:*}"
        run register
        echo "$output"
        [ "$status" = "${pair#*:}" ]
        [[ "$output" == *'"retryAfter": 120'* && "$output" == *retryAt* ]]
        [ "$(jq -r .method requests.jsonl | grep -c POST)" = 1 ]
    done
}

@test "FAULT-07, FAULT-10: a server that never answers does not outlast --timeout; the next run finds the key it made" {
    odd_ca silent
    fails_with 69 timeout --timeout 4s
    [ ! -e acct.json ]
    [ -e acct.key ]
    odd_ca
    register -o a.json
    [ "$(stat -c %a acct.json) $(stat -c %a acct.key)" = "600 600" ]
}

@test "ACME-17b, FAULT-16: a CA that wants an external account binding is 77 externalAccountRequired before any POST" {
    odd_ca eab
    fails_with 77 externalAccountRequired
    [ "$(jq -r .method requests.jsonl | grep -c POST)" = 0 ]
}

@test "ACME-15a, ACME-15b: terms of service are agreed to if the operator says so, and only then" {
    echo '{"termsOfService": "https://ca.example/terms"}' >meta.json
    odd_ca meta=meta.json
    fails_with 77 termsOfService
    [ "$(jq -r .method requests.jsonl | grep -c POST)" = 0 ]
    register --agree-tos -o a.json
    jq -se '.[-1].path == "/account" and .[-1].payload.termsOfServiceAgreed == true' requests.jsonl
    # A CA without terms is told of no agreement unless there is one.
    rm -rf acct.* a.json requests.jsonl
    odd_ca
    register -o a.json
    jq -se '.[-1].path == "/account" and (.[-1].payload | has("termsOfServiceAgreed") | not)' requests.jsonl
}

@test "FLD-A9: register with an external account binding again finds the account, at a CA that takes a binding once" {
    local bound=(--eab-kid kid --eab-key-file mac)
    openssl rand -base64 32 >mac
    chmod 600 mac
    odd_ca usedOnce
    register "${bound[@]}" -o first.json
    register "${bound[@]}" -o second.json
    [ "$(jq -r .url first.json)" = "$(jq -r .url second.json)" ]
    # The account file was lost, the key was not.
    rm acct.json
    register "${bound[@]}" -o third.json
    [ "$(jq -r .url first.json)" = "$(jq -r .url third.json)" ]
}

hint_of() { # STATUS CODE WORDS COMMAND...: the failure, and what its hint says
    local expected=$1 code=$2 words=$3
    shift 3
    run "$@"
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* && "$output" == *"$words"* ]]
}

@test "FLD-A11: the true cause: 429 at newNonce, a deactivated account, keyChange absent, gone or 409, a dead proxy" {
    odd_ca nonce429
    hint_of 80 rateLimited "asks for fewer requests" register
    [[ "$output" == *'"retryAfter": 120'* && "$output" != *"belongs to an ACME server"* ]]
    odd_ca refuse=problem.json
    register -o a.json
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o c.csr
    echo '{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "Account is not valid, has status \"deactivated\""}' >problem.json
    hint_of 77 unauthorized "the account was deactivated" acme-order new --json <c.csr
    hint_of 69 keyChangeUnsupported "cannot replace a key" acme-account rollover --json
    [ ! -e acct.key.next ]
    rm -rf acct.* a.json
    odd_ca keyChange=404
    register -o a.json
    hint_of 69 keyChangeUnsupported "nothing is there" acme-account rollover --json
    [ ! -e acct.key.next ]
    rm -rf acct.* a.json
    odd_ca keyChange=409
    register -o a.json
    hint_of 77 keyInUse "belongs to the account $(jq -r .url a.json | sed 's/1$/2/')" acme-account rollover --json
    [ ! -e acct.key.next ]
    local dead
    dead=$(free_port)
    https_proxy="http://me:secret@127.0.0.1:$dead" hint_of 69 connect "proxy http://127.0.0.1:$dead (https_proxy)" acme-account show --json
    https_proxy="http://nowhere.invalid:1" hint_of 69 resolve "proxy http://nowhere.invalid:1" acme-account show --json
    [[ "$output" != *secret* ]]
}

@test "FLD-A12: a trace that cannot be written any more ends a run that succeeded with 74, and the result is there" {
    odd_ca
    run register -q --trace /dev/full -o a.json
    echo "$output"
    [ "$status" = 74 ]
    [[ "$output" == *"--trace: /dev/full"* ]]
    jq -e .created a.json
}

@test "FLD-A19: newAuthz with 200 or 201, the subdomain flag dropped, valid at once without challenges: nothing to prove (PRE-13a, PRE-05b)" {
    printf '#!/bin/sh\n: >called\n' >hook
    chmod +x hook
    local mode
    for mode in known nonce204; do # nonce204 changes nothing here: 201
        for body in '{"status": "valid", "challenges": []}' '{"status": "valid"}' '{"status": "valid", "challenges": null}'; do
            rm -rf acct.* a.json
            echo "$body" >authz.json
            odd_ca "$mode" authz=authz.json
            register -o a.json
            acme-preauth run --json --subdomains --hook ./hook --no-dns-check example.com >p.json 2>told
            jq -e '.status == "valid" and .subdomainAuthAllowed == false' p.json
            grep -q "authorized for the exact name only" told
            run acme-preauth run --json --subdomains --require-subdomains --hook ./hook --no-dns-check example.com
            [ "$status" = 77 ]
            [[ "$output" == *subdomainsNotCovered* ]]
        done
    done
    [ ! -e called ]
}

# steps: the POSTs so far, path and payload of each.
steps() {
    jq -sc '.[] | select(.method == "POST") | [.path, .payload]' requests.jsonl
}

# pending_order NAME...: hook, and c.csr for the names.
pending_order() {
    local name names=()
    # shellcheck disable=SC2016 # the hook's own variables
    printf '#!/bin/sh\necho "$1 $3" >>calls\n' >hook
    chmod +x hook
    for name in "$@"; do names+=(--dns "$name"); done
    csr-build --new-key ec:P-256 --key-out k "${names[@]}" -o c.csr
}

@test "PRE-03a, PRE-04, PRE-10b: newAuthz has one name, the flag inside of it; ancestorDomain is for those that are named" {
    odd_ca
    register -o a.json
    acme-preauth new -o p.json example.com
    acme-preauth new --subdomains -o p.json example.com
    pending_order www.example.com
    acme-order new -o o.json <c.csr
    steps >posts
    cat posts
    sed -n 2p posts | jq -e '. == ["/authz", {identifier: {type: "dns", value: "example.com"}}]'
    sed -n 3p posts | jq -e '. == ["/authz", {identifier: {type: "dns", value: "example.com", subdomainAuthAllowed: true}}]'
    sed -n 4p posts | jq -e '. == ["/order", {identifiers: [{type: "dns", value: "www.example.com"}]}]'
}

@test "PRE-03b, ACME-20b: newAuthz and newOrder without Location are 76 noLocation" {
    odd_ca nowhere
    register -o a.json
    hint_of 76 noLocation Location acme-preauth new --json example.com
    pending_order www.example.com
    hint_of 76 noLocation Location acme-order new --json <c.csr
}

@test "PRE-05a: subdomainAuthAllowed inside of an authorization's identifier grants nothing, beside it it does" {
    echo '{"status": "valid", "identifier": {"type": "dns", "value": "example.com", "subdomainAuthAllowed": true}}' >authz.json
    odd_ca authz=authz.json
    register -o a.json
    acme-preauth new --subdomains -o p.json example.com
    jq -e '.subdomainAuthAllowed == false' p.json
    echo '{"status": "valid", "subdomainAuthAllowed": true}' >authz.json
    acme-preauth new --subdomains -o p.json example.com
    jq -e '.subdomainAuthAllowed == true' p.json
}

@test "PRE-07: the directory is looked at before subdomains are asked for, which is told if it announces none" {
    local says
    echo '{"subdomainAuthAllowed": true}' >meta.json
    odd_ca meta=meta.json
    register -o a.json
    for says in '{"subdomainAuthAllowed": true}:0' '{"subdomainAuthAllowed": false}:1' '{"subdomainAuthAllowed": "true"}:1' '{}:1'; do
        echo "${says%:*}" >meta.json
        rm -rf acct.json.d
        acme-preauth new -vv --subdomains -o p.json example.com 2>told
        [ "$(grep -c 'does not announce subdomainAuthAllowed' told)" = "${says##*:}" ]
    done
}

@test "PRE-14: an identifier that is refused is told with the server's problem" {
    local word
    odd_ca refuse=problem.json
    register -o a.json
    for word in rejectedIdentifier unsupportedIdentifier malformed unauthorized; do
        echo "{\"type\": \"urn:ietf:params:acme:error:$word\", \"detail\": \"not this $word\"}" >problem.json
        run acme-preauth new --json example.com
        echo "$output"
        [ "$status" = 77 ]
        [[ "$output" == *"\"code\": \"$word\""* && "$output" == *"403"*"not this $word"* ]]
    done
}

@test "ACME-27, ACME-29a, ACME-29b: {} goes to the challenge's URL, then the authorization is read when Retry-After says" {
    odd_ca slowly
    register -o a.json
    pending_order example.com
    acme-preauth run --hook ./hook --no-dns-check -o p.json example.com
    jq -e '.status == "valid"' p.json
    steps >posts
    cat posts
    [ "$(sed -n '2,$p' posts | jq -c .)" = '["/authz",{"identifier":{"type":"dns","value":"example.com"}}]
["/challenge/1",{}]
["/authz/1",null]
["/authz/1",null]
["/authz/1",null]' ]
    # Two replies said Retry-After: 1; without it the second poll comes 25 ms after the first.
    jq -se '[.[] | select(.path == "/authz/1") | .time] | .[1] - .[0] >= 0.9 and .[2] - .[1] >= 0.9' requests.jsonl
}

@test "ACME-29d: a challenge that is processing and shows an error becomes valid" {
    odd_ca slowly
    register -o a.json
    pending_order example.com
    acme-preauth run --hook ./hook --no-dns-check -o p.json example.com
    jq -e '.status == "valid"' p.json
    [ "$(xargs <calls)" = "begin example.com done example.com" ]
}

@test "ACME-29c: an authorization that stays pending is not waited for beyond --timeout" {
    echo '{"status": "pending"}' >later.json
    odd_ca later=later.json
    register -o a.json
    pending_order example.com
    local began=$SECONDS
    run acme-preauth run --json --timeout 5s --hook ./hook --no-dns-check -o p.json example.com
    echo "$output"
    [ "$status" = 75 ]
    ((SECONDS - began < 60))
    [ "$(jq -r .path requests.jsonl | grep -c /authz/1)" -ge 3 ]
}

@test "ACME-23b, ACME-24b: an order for two names whose one authorization is for the first; that is proved and nothing else" {
    odd_ca
    register -o a.json
    pending_order a.example.com b.example.com
    # The order stays pending: nothing is ever issued.
    run acme-order run --json --timeout 5s --hook ./hook --no-dns-check <c.csr
    echo "$output"
    [ "$status" = 75 ]
    [ "$(xargs <calls)" = "begin a.example.com done a.example.com" ]
    [ "$(jq -r .path requests.jsonl | grep -c challenge)" = 1 ]
}

@test "ACME-30b, ACME-30c: the order is for the names in the SAN and for none in the CN" {
    odd_ca
    register -o a.json
    openssl ecparam -name prime256v1 -genkey -noout -out k
    openssl req -new -key k -subj /CN=c.example -addext subjectAltName=DNS:a.example,DNS:b.example -out c.csr
    run acme-order new --json <c.csr
    [ "$status" = 65 ]
    [[ "$output" == *commonNameNotInSan* ]]
    openssl req -new -key k -subj /CN=b.example -addext subjectAltName=DNS:a.example,DNS:b.example -out c.csr
    acme-order new -o o.json <c.csr
    steps | tail -n 1 | jq -e '.[0] == "/order" and ([.[1].identifiers[].value] | sort) == ["a.example", "b.example"]'
}

@test "FLD-A7: a CA that answers 200 and changes nothing is 76: contacts, status, authorization (ACME-46)" {
    odd_ca deaf
    register --contact mailto:old@example.com -o a.json
    run acme-account update --json --contact mailto:new@example.com
    echo "$output"
    [ "$status" = 76 ]
    [[ "$output" == *'"code": "accountNotChanged"'* && "$output" == *mailto:old@example.com* ]]
    jq -e '.contact == ["mailto:old@example.com"]' acct.json
    run acme-account update --json
    [ "$status" = 76 ]
    run acme-account deactivate --json
    echo "$output"
    [ "$status" = 76 ]
    [[ "$output" == *'"code": "accountNotChanged"'* && "$output" == *"still valid"* ]]
    acme-preauth new -o t.json example.com
    run acme-preauth deactivate --json <t.json
    echo "$output"
    [ "$status" = 76 ]
    [[ "$output" == *'"code": "authorizationNotDeactivated"'* ]]
}

@test "FLD-A7: what the account's object says is believed: order and case of contacts do not count, an ended account is none (ACME-46)" {
    odd_ca account=account.json
    echo '{}' >account.json
    register -o a.json
    echo '{"contact": ["mailto:B@example.com", "mailto:a@example.com"]}' >account.json
    acme-account update --contact mailto:a@example.com --contact mailto:b@example.com --contact mailto:a@example.com -o a.json
    echo '{"status": "deactivated"}' >account.json
    acme-account deactivate -o a.json
    jq -e '.status == "deactivated"' a.json
    fails_with 77 accountNotValid
    echo '{"status": "\u001b[2J"}' >account.json
    run acme-account show --json
    [ "$status" = 76 ]
}

@test "ACME-18a, ACME-18b: a key that is another account's is refused" {
    odd_ca
    register --account one.json -o a.json
    odd_ca
    fails_with 65 keyInUse --account two.json --key one.key
    [ ! -e two.json ]
    # What gets no key has its own.
    register --account three.json -o c.json
    [ "$(openssl pkey -in one.key -pubout)" != "$(openssl pkey -in three.key -pubout)" ]
}

@test "ACME-01b, ACME-01c: a CA file that does not verify the server, one that is no PEM, one that is not there" {
    odd_ca
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key -out other.pem -subj /CN=other -days 2 2>/dev/null
    local register=(acme-account register --json --directory "$DIRECTORY")
    run "${register[@]}" --ca-file other.pem
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "tls"'* && "$output" == *other.pem* ]]
    run "${register[@]}"
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "tls"'* && "$output" == *--ca-file* ]]
    run "${register[@]/127.0.0.1/localhost}" --ca-file tls.pem
    [ "$status" = 69 ]
    [[ "$output" == *'"code": "tls"'* ]]
    echo junk >junk.pem
    run "${register[@]}" --ca-file junk.pem
    [ "$status" = 78 ]
    [[ "$output" == *'"code": "caFile"'* ]]
    run "${register[@]}" --ca-file nothing.pem
    [ "$status" = 78 ]
    [[ "$output" == *'"code": "caFile"'* ]]
    [ ! -e requests.jsonl ]
    "${register[@]}" --ca-file tls.pem -o a.json
    [ -s requests.jsonl ]
    # Nothing turns this off.
    local program
    for program in acme-account acme-order acme-preauth; do
        run "$program" register --insecure --directory "$DIRECTORY"
        [ "$status" = 64 ]
        run grep -iE -e '--(insecure|(no|skip|ignore|disable)-(verify|verif|tls|certificate|ca|check-cert))' \
            <("$program" --help; "$program" register --help; "$program" run --help)
        [ "$status" = 1 ]
    done
}

@test "FAULT-20: this host's clock wrong by three days: the sentence says so" {
    odd_ca
    run at_clock +3d acme-account register --json --directory "$DIRECTORY" --ca-file tls.pem
    echo "$output"
    [ "$status" = 69 ]
    [[ "$output" == *tlsCertificateExpired* && "$output" == *"check the clock"* ]]
    run at_clock -3d acme-account register --json --directory "$DIRECTORY" --ca-file tls.pem
    echo "$output"
    [ "$status" = 69 ]
    [[ "$output" == *tlsCertificateNotYetValid* && "$output" == *"check the clock"* ]]
}
