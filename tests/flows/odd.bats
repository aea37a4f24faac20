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

@test "ACME-02, ACME-03, ACME-05: who asks, how the directory is read, and the type of signed requests" {
    odd_ca
    register -o a.json
    jq -se 'all(.[]; (.headers["User-Agent"] | test("^acme-integrations/[0-9]")) and .headers["Accept-Language"] == "en")' requests.jsonl
    [ "$(jq -r '.method + " " + .path' requests.jsonl | xargs)" = "GET /directory HEAD /nonce POST /account" ]
    jq -se '.[2].headers["Content-Type"] == "application/jose+json" and (.[2].headers | has("Expect") | not)' requests.jsonl
    jq -se '.[2].protected | .alg == "ES256" and has("jwk") and (has("kid") | not) and (.url | endswith("/account"))' requests.jsonl
}

@test "ACME-10: newNonce may answer HEAD with 204" {
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

@test "ACME-12, FAULT-09: Retry-After on 403, 429 and 503: each its own exit status, the time in each document, one request" {
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
    fails_with 69 timeout --timeout 1s
    [ ! -e acct.json ]
    [ -e acct.key ]
    odd_ca
    register -o a.json
    [ "$(stat -c %a acct.json) $(stat -c %a acct.key)" = "600 600" ]
}

@test "ACME-17, FAULT-16: a CA that wants an external account binding is 77 externalAccountRequired before any POST" {
    odd_ca eab
    fails_with 77 externalAccountRequired
    [ "$(jq -r .method requests.jsonl | grep -c POST)" = 0 ]
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

@test "ACME-18: a key that is another account's is refused" {
    odd_ca
    register --account one.json -o a.json
    odd_ca
    fails_with 65 keyInUse --account two.json --key one.key
    [ ! -e two.json ]
}

@test "ACME-01: a CA file that does not verify the server, one that is no PEM, one that is not there" {
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
}

@test "FAULT-20: this host's clock wrong by three days: the sentence says so" {
    odd_ca
    run faketime -f +3d acme-account register --json --directory "$DIRECTORY" --ca-file tls.pem
    echo "$output"
    [ "$status" = 69 ]
    [[ "$output" == *tlsCertificateExpired* && "$output" == *"check the clock"* ]]
    run faketime -f -3d acme-account register --json --directory "$DIRECTORY" --ca-file tls.pem
    echo "$output"
    [ "$status" = 69 ]
    [[ "$output" == *tlsCertificateNotYetValid* && "$output" == *"check the clock"* ]]
}
