#!/usr/bin/env bats
# What an operator sees go wrong: for each cause an exit status, a code of its own and a sentence.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/dns
load ../lib/ca

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --authz-lifetime 30d --cert-lifetime 12h
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    export CA_LOG CA_DIRECTORY DNS_SERVER TSIG_KEY PIDS="${STARTED[*]}"
}

teardown_file() {
    read -ra STARTED <<<"$PIDS"
    stop_all
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
    STARTED=()
    NAME=n$BATS_TEST_NUMBER.domain.com
    rm -f k.pem n.csr n.pem
    csr-build --new-key ec:P-256 --key-out k.pem --dns "$NAME" -o n.csr
}

teardown() {
    local fault
    for fault in $(curl -s "$CA_ADMIN" | jq -r 'keys[]'); do set_fault "$fault=off"; done
    stop_all
}

says() { # STATUS CODE WORDS COMMAND...: the document of the failure, with a message of several words
    local expected=$1 code=$2 words=$3
    shift 3
    run --separate-stderr "$@" --json
    echo "$output"
    [ "$status" = "$expected" ]
    jq -e --arg code "$code" --argjson exit "$expected" --arg words "$words" '.type == "error" and .code == $code and
        .exit == $exit and (.message + " " + .hint | contains($words)) and (.message | split(" ") | length > 2)' <<<"$output"
    [[ "$stderr" == *"$words"* ]]
}

@test "ACME-16c: an account that the CA does not know, one that it knows no more, a key that is not the account's" {
    jq '.url |= sub("/account/.*"; "/account/unknown")' acct.json >unknown.json
    says 77 accountDoesNotExist "acme-account register" acme-order run --account unknown.json <n.csr
    acme-account register --account gone.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    acme-account deactivate --account gone.json -q -o /dev/null
    says 77 unauthorized deactivated acme-order run --account gone.json <n.csr
    says 77 accountDoesNotExist "no account has this key" acme-account register --account none.json --directory "$CA_DIRECTORY" \
        --ca-file "$CA_FILE" --only-existing
    jq '.keyFile = "k.pem"' acct.json >stolen.json
    says 77 malformed signature acme-order status --account stolen.json < <(acme-order new -q <n.csr)
}

@test "FAULT-16, ACME-15a: new terms of service, and a contact that the CA does not take" {
    start_ca "$PWD/terms" --terms-of-service https://ca.example/terms
    says 77 termsOfService https://ca.example/terms acme-account register --account t.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE"
    says 65 unsupportedContact mailto: acme-account register --account t.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" \
        --agree-tos --contact tel:+1
    [ ! -e t.json ]
}

@test "FAULT-17: identifiers the CA rejects, one and several, and a key that it does not certify" {
    csr-build --key k.pem --dns single -o s.csr
    says 77 rejectedIdentifier "single label" acme-order run <s.csr
    csr-build --key k.pem --dns single --dns double -o s.csr
    says 77 compound "double: a single label" acme-order run <s.csr
    openssl req -new -newkey rsa:1024 -nodes -keyout weak.key -subj / -addext "subjectAltName=DNS:$NAME" -out weak.csr 2>/dev/null
    says 65 badCSR rsa:1024 acme-order run <weak.csr
}

@test "CSR-07, CSR-05a, CSR-03c: names in a CSR that no certificate may have, before any order" {
    local before
    before=$(requests newOrder)
    openssl req -new -key k.pem -subj / -addext "subjectAltName=DNS:under_score.domain.com" -out u.csr
    says 65 underscoreInName under_score acme-order run <u.csr
    openssl req -new -key k.pem -subj / -addext "subjectAltName=DNS:trailing.domain.com." -out u.csr
    says 65 badLabel trailing.domain.com acme-order run <u.csr
    openssl req -new -key k.pem -subj / -addext "subjectAltName=DNS:192.0.2.1" -out u.csr
    says 65 ipLiteral 192.0.2.1 acme-order run <u.csr
    says 65 underscoreInName under_score acme-preauth new under_score.domain.com
    [ "$(requests newOrder)" = "$before" ]
}

@test "a document of another CA is 65 foreignUrl, and nobody is asked" {
    local first=$CA_LOG
    acme-order new -q -o o.json <n.csr
    start_ca "$PWD/second" --dns-server "$DNS_SERVER"
    acme-account register --account second.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    says 65 foreignUrl "different CAs" acme-order finalize --account second.json <o.json
    says 65 foreignUrl "" acme-preauth respond --account second.json <authz.json
    [ "$(grep -c '"method":"POST"' "$CA_LOG")" = 1 ]
    CA_LOG=$first
}

@test "FAULT-20: a full state directory is 74 diskFull before anything is ordered; with room again the run succeeds" {
    local before
    before=$(requests newOrder)
    run bash -c '(ulimit -f 0; exec acme-order run --json) <n.csr 2>&1 | cat; exit "${PIPESTATUS[0]}"'
    echo "$output"
    [ "$status" = 74 ]
    [[ "$output" == *'"code": "diskFull"'* && "$output" == *"free some space"* ]]
    [ "$(requests newOrder)" = "$before" ]
    acme-order run -q -o n.pem <n.csr
    if ! unshare -m true 2>/dev/null; then skip "no mount namespace for a small file system"; fi
    mkdir -p small
    says 74 diskFull "No space left" unshare -m bash -c 'mount -t tmpfs -o size=64k tmpfs small && mkdir -p small/orders small/authz &&
        cat /dev/zero >small/fill 2>/dev/null; acme-order run --state small "$@"' run <n.csr
    [ "$(requests newOrder)" = $((before + 1)) ]
}

@test "closed and full standard output are 74, and the certificate is not lost" {
    says_nothing() { # CODE REDIRECTION
        run bash -c "acme-order run --log-format json <n.csr $2"
        echo "$output"
        [ "$status" = 74 ]
        [[ "$output" == *"standard output"* ]]
    }
    says_nothing stdoutClosed '>&-'
    says_nothing diskFull '>/dev/full'
    acme-order run -q -o n.pem <n.csr
    [ "$(grep '"resource":"newOrder"' "$CA_LOG" | grep -c "\"$NAME\"")" = 1 ]
}

@test "FAULT-20, ACME-36c, CHAL-06d: the clock a day ahead or behind: certificates and TSIG say so" {
    local order=(acme-order run --state fresh)
    says 76 certificateExpired "check the clock" at_clock +1d "${order[@]}" <n.csr
    says 69 tlsCertificateNotYetValid "check the clock" at_clock -2d "${order[@]}" <n.csr
    acme-preauth new "t$NAME" -q -o t.json
    says 77 tsigBadTime clocks at_clock +1d acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" <t.json
}

@test "ACME-39a: account, key and state are 0600, no argument and no file holds a key but the key file" {
    acme-order run -q -o n.pem <n.csr
    local file
    while read -r file; do
        [ "$(stat -c %a "$file")" = 600 ]
    done < <(find acct.json acct.key k.pem acct.json.d -type f)
    [ "$(stat -c %a acct.json.d)" = 700 ]
    run grep -rl "PRIVATE KEY" acct.json acct.json.d n.pem
    [ "$status" = 1 ]
}

@test "FAULT-20: two first runs at once make one key and one account" {
    acme-account register --account twin.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o t1.json &
    local first=$!
    acme-account register --account twin.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o t2.json
    wait "$first"
    [ "$(jq -r .url t1.json)" = "$(jq -r .url t2.json)" ]
    acme-account show --account twin.json -o t3.json
    [ "$(jq -r .url t3.json)" = "$(jq -r .url t1.json)" ]
}

@test "PRE-13a, PRE-13b, PRE-15: newAuthz that answers with a valid authorization: nothing to prove, its expiry kept" {
    acme-preauth new --subdomains domain.com -o again.json
    jq -e '.status == "valid" and (has("challenge") | not) and (.expires | length > 0) and .subdomainAuthAllowed' again.json
    local before
    before=$(requests challenge)
    acme-preauth run --subdomains --dns-update 127.0.0.1:1 -o run.json domain.com
    [ "$(jq -r .url run.json)" = "$(jq -r .url again.json)" ]
    [ "$(requests challenge)" = "$before" ]
}

@test "PRE-18b: an order that stayed pending is of use again once the domain is authorized" {
    acme-account register --account late.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    says 79 authorizationNeeded "acme-preauth run" acme-order run --account late.json <n.csr
    acme-preauth run -q --account late.json --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o /dev/null domain.com
    acme-order run -q --account late.json -o n.pem <n.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted n.pem n.pem
}

@test "ACME-23a, ACME-24a, FAULT-04: authorizations in another order than the names, for base name and wildcard, one valid" {
    acme-account register --account some.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    set_fault reorderAuthz=1
    acme-preauth run -q --account some.json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o /dev/null a.domain.com
    local before
    before=$(requests challenge)
    csr-build --key k.pem --dns a.domain.com --dns b.domain.com --dns '*.b.domain.com' --allow-wildcard -o m.csr
    acme-order run -q --account some.json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o m.pem <m.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted m.pem m.pem
    [ -z "$(txt_values _acme-challenge.b.domain.com)" ]
    # The one that is valid is skipped; of the others, which offer several challenges, one each is answered.
    [ "$(requests challenge)" = $((before + 2)) ]
}

@test "ACME-42b: the lost order is found on the last page of a long list" {
    local i
    set_fault ordersPerPage=2
    for i in 1 2 3; do
        csr-build --key k.pem --dns "p$i$NAME" | acme-order new -q -o /dev/null
    done
    set_fault resetAfter=newOrder:1
    says 69 reset "run the same command again" acme-order run <n.csr
    acme-order run -q -o n.pem <n.csr
    [ "$(grep '"resource":"newOrder"' "$CA_LOG" | grep -c "\"$NAME\"")" = 1 ]
}

@test "ACME-20a, ACME-21: a hundred names on one authorization: three requests, one connection; a name more is refused" {
    local i names=()
    for i in $(seq 100); do names+=(--dns "h$i.$NAME"); done
    csr-build --key k.pem "${names[@]}" -o h.csr
    acme-order run -q -o warm.pem <n.csr
    : >"$CA_LOG"
    acme-order run -q -o h.pem <h.csr
    [ "$(jq -r .resource "$CA_LOG" | xargs)" = "newOrder finalize certificate" ]
    [ "$(jq -r .peer "$CA_LOG" | sort -u | grep -c .)" = 1 ]
    [ "$(openssl x509 -in h.pem -noout -ext subjectAltName | grep -o DNS: | grep -c .)" = 100 ]
    csr-build --key k.pem "${names[@]}" --dns "h101.$NAME" -o h.csr
    says 77 malformed "1 to 100" acme-order run <h.csr
}

@test "ACME-21: cold, five requests and one connection; processing, one more; preauth run on one connection" {
    acme-order run -q -o warm.pem <n.csr
    : >"$CA_LOG"
    csr-build --key k.pem --dns "c$NAME" | acme-order run -q --state "cold$BATS_TEST_NUMBER" -o c.pem
    [ "$(jq -r .resource "$CA_LOG" | xargs)" = "newNonce newOrder finalize certificate" ] # and the directory, unsigned
    [ "$(jq -r .peer "$CA_LOG" | sort -u | grep -c .)" = 1 ]
    set_fault processing=2 # in whole seconds: one may be over at once
    set_fault retryAfter=2
    : >"$CA_LOG"
    csr-build --key k.pem --dns "d$NAME" | acme-order run -q -o d.pem
    [ "$(jq -r .resource "$CA_LOG" | xargs)" = "newOrder finalize order certificate" ]
    [ "$(jq -r .peer "$CA_LOG" | sort -u | grep -c .)" = 1 ]
    : >"$CA_LOG"
    acme-preauth run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o /dev/null "e$NAME"
    [ "$(grep '"method"' "$CA_LOG" | jq -r .peer | sort -u | grep -c .)" = 1 ]
    run grep -c '"authz"' <(jq -r .resource "$CA_LOG" | head -n 1)
    [ "$output" = 0 ]
}

@test "FAULT-15: finalize without a Location header" {
    set_fault noLocation=finalize
    set_fault processing=1
    set_fault retryAfter=1
    acme-order run -q -o n.pem <n.csr
}

@test "FAULT-01, ACME-11a: three of four nonces refused, from newAccount to the certificate's download and revocation" {
    set_fault badNonce=75
    acme-account register --account nonces.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    acme-order run -q -o n.pem <n.csr
    acme-order revoke <n.pem
}

@test "a CA on an IPv6 address: URLs with brackets are its own" {
    if ! grep -q 00000000000000000000000000000001 /proc/net/if_inet6 2>/dev/null; then skip "no IPv6 loopback"; fi
    CA_LISTEN="[::1]:0" start_ca "$PWD/six" --dns-server "$DNS_SERVER"
    [[ "$CA_DIRECTORY" == "https://[::1]:"* ]]
    acme-account register --account six.json --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o /dev/null
    acme-preauth run -q --account six.json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o /dev/null domain.com
}

@test "acme-ca: a header or a body without end is 431 and 413, and others are served" {
    local url=${CA_DIRECTORY%/directory}
    head -c 70000 /dev/zero | tr '\0' x >big
    [ "$(curl -s --cacert "$CA_FILE" -o /dev/null -w '%{http_code}' --data-binary @big "$url/newOrder")" = 413 ]
    [ "$(curl -s --cacert "$CA_FILE" -o /dev/null -w '%{http_code}' -H "X: $(head -c 20000 big)" "$url/directory")" = 431 ]
    [ "$(curl -s --cacert "$CA_FILE" -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/jose+json' -d '{"a":1}' "$url/newOrder")" = 400 ]
    [ "$(curl -s --cacert "$CA_FILE" -o /dev/null -w '%{http_code}' "$url/newOrder")" = 405 ]
    acme-order run -q -o n.pem <n.csr
}
