#!/usr/bin/env bats
# What servers do wrong, played by acme-ca; one CA and one authorization for all tests of the file.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
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
    NAME=n$BATS_TEST_NUMBER.domain.com
    rm -f k.* n.pem
    csr-build --new-key ec:P-256 --key-out k.pem --dns "$NAME" -o n.csr
}

teardown() {
    local fault
    for fault in $(curl -s "$CA_ADMIN" | jq -r 'keys[]'); do set_fault "$fault=off"; done
}

finalized() { # how often an order for NAME was finalized well
    grep '"resource":"finalize"' "$CA_LOG" | grep '"status":200' | grep -c "\"$NAME\""
}

succeeds() {
    acme-order run -q -o n.pem "$@" <n.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted n.pem n.pem
    [ "$(finalized)" = 1 ]
}

fails_with() { # STATUS CODE [OPTION...]
    local expected=$1 code=$2
    shift 2
    rm -f n.pem
    run acme-order run --json -o n.pem "$@" <n.csr
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
    [ ! -e n.pem ]
}

@test "FAULT-01, ACME-10b, ACME-11a: half of all nonces refused" {
    set_fault badNonce=50
    succeeds
}

# COUNT says how many; the suite's 20 are a sample.
@test "FAULT-01: half of all nonces refused, every one of COUNT runs, newAccount and pre-authorization among them" {
    local i
    set_fault badNonce=50
    for i in $(seq "${COUNT:-20}"); do
        acme-order run -q --state "half$i" -o "half$i.pem" <n.csr
    done
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q --account half.json
    acme-preauth new --account half.json -q -o /dev/null half.domain.com
}

@test "FAULT-02: success replies without Replay-Nonce" {
    set_fault noNonce=1
    succeeds
}

@test "FAULT-02: a nonce that has become stale while nothing was asked" {
    acme-order new -q -o o.json <n.csr # leaves a nonce in the state
    set_fault nonceLifetime=1
    sleep 2
    acme-order run -q -o n.pem <n.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted n.pem n.pem
}

@test "FAULT-04, CHAL-02a: some authorizations are there, some not, in another order, with the wildcard's base name" {
    set_fault reorderAuthz=1
    set_fault authzReuse=50
    csr-build --key k.pem --allow-wildcard --dns "$NAME" --dns "w$NAME" --dns "*.w$NAME" -o n.csr
    acme-order run -q --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o n.pem <n.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted n.pem n.pem
}

@test "CHAL-03a, FAULT-05, ACME-24c: a challenge that fails is told with its error, without waiting for the timeout" {
    set_fault authzReuse=0
    set_fault validation=caa
    fails_with 77 validationFailed --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" --timeout 60s
    [[ "$output" == *"caa: the fault validation is on"* ]]
    [ -z "$(txt_values "_acme-challenge.$NAME")" ]
}

@test "CHAL-03a, CHAL-04b: after records that took long to publish the CA has its time to validate them" {
    set_fault authzReuse=0
    set_fault validation=valid
    set_fault challengeDelay=2
    # The hook's clock is right: it takes 400 seconds of the client's, and the validation 200.
    printf '#!/bin/sh\nunset LD_PRELOAD\necho "$1" >>calls\n[ "$1" != begin ] || sleep 4\n' >slow.sh
    chmod +x slow.sh
    at_clock "+0 x100" acme-order run -q --hook ./slow.sh --hook-timeout 1000s --no-dns-check -o n.pem <n.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted n.pem n.pem
    [ "$(tail -n 1 calls)" = "done" ]
}

@test "ACME-31c, FAULT-05, ACME-13b: an order that becomes invalid shows the error and its subproblems, at once" {
    set_fault orderInvalid=1
    fails_with 77 unauthorized
    [[ "$output" == *caa* ]]
}

@test "FAULT-06, ACME-31d: orderNotReady on finalize: the order is read again" {
    set_fault orderNotReady=2
    succeeds
}

@test "FAULT-07, ACME-31a: processing, and Retry-After in every form" {
    local form
    set_fault processing=1
    for form in 1 none junk -5 "Mon, 01 Jan 2001 00:00:00 GMT"; do
        set_fault "retryAfter=$form"
        rm -f k.pem
        csr-build --new-key ec:P-256 --key-out k.pem --dns "$NAME" -o n.csr
        acme-order run -q -o n.pem <n.csr
        openssl verify -CAfile "$CA_ROOT" -untrusted n.pem n.pem
    done
}

@test "FAULT-07: a huge Retry-After is \"not yet\": 75 with the time, and the rerun goes on with the same order" {
    set_fault processing=1
    set_fault retryAfter=999999999999
    run acme-order run --json -o n.pem <n.csr
    [ "$status" = 75 ]
    [[ "$output" == *'"type": "deferred"'* && "$output" == *retryAt* ]]
    set_fault retryAfter=1
    acme-order run -q -o n.pem <n.csr
    [ "$(finalized)" = 1 ]
}

@test "FAULT-08: slow validation" {
    acme-preauth deactivate -q -o /dev/null <authz.json
    set_fault challengeDelay=2
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    succeeds
}

@test "FAULT-09, ACME-12b, ACME-12c: rateLimited with and without Retry-After: 80, one request, the time in JSON" {
    local before
    before=$(requests newOrder)
    set_fault rateLimited=9
    set_fault retryAfter=120
    fails_with 80 rateLimited
    [[ "$output" == *'"retryAfter": 120'* ]]
    set_fault retryAfter=none
    fails_with 80 rateLimited
    [ "$(requests newOrder)" = $((before + 2)) ]
}

@test "FAULT-09, ACME-12c: 503 with Retry-After is not hammered" {
    local before
    before=$(requests newOrder)
    set_fault unavailable=newOrder
    set_fault retryAfter=300
    run acme-order run --json -o n.pem <n.csr
    [ "$status" != 0 ]
    [[ "$output" == *'"retryAfter": 300'* ]]
    [ "$(requests newOrder)" = $((before + 1)) ]
}

@test "FAULT-10: a reply that comes too late is not waited for beyond --timeout" {
    local before
    before=$(requests newOrder)
    late_one_came() { (($(requests newOrder) == before + 2)); }
    set_fault slow=newOrder:8:1
    run acme-order run --json --timeout 4s -o n.pem <n.csr
    [ "$status" != 0 ]
    succeeds
    wait_for 20 late_one_came # it would meet the faults of the tests that follow
}

@test "FAULT-10: finalize answered 500, dropped before and dropped after: one certificate each" {
    set_fault serverError=finalize:1
    succeeds
    set_fault reset=finalize:1
    rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "x$NAME" -o n.csr
    NAME=x$NAME succeeds
    set_fault resetAfter=finalize:1
    rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "y$NAME" -o n.csr
    NAME=y$NAME succeeds
}

@test "FAULT-10, ACME-42b: newOrder's reply lost: the rerun finds the order in the orders list" {
    local before after
    set_fault resetAfter=newOrder:1
    fails_with 69 reset
    before=$(requests newOrder)
    succeeds
    after=$(requests newOrder)
    [ "$before" = "$after" ]
}

@test "FAULT-10, ACME-42d: a POST on a kept connection that dies is not sent again behind our back" {
    local before
    before=$(requests newOrder)
    set_fault resetAfter=newOrder:1
    fails_with 69 reset --state cold # the nonce goes before it, over the same connection
    [ "$(requests newOrder)" = $((before + 1)) ]
    acme-order run -q --state cold -o n.pem <n.csr
    [ "$(requests newOrder)" = $((before + 1)) ]
    [ "$(finalized)" = 1 ]
}

@test "FAULT-11: HTML, truncated, deeply nested, duplicated, huge, incomplete replies are 76" {
    local fault
    for fault in html truncated deepNesting duplicateKeys hugeBody; do
        set_fault "$fault=newOrder:1"
        rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "$NAME" -o n.csr
        run acme-order run --json -o n.pem <n.csr
        echo "$fault: $status $output"
        [ "$status" = 76 ]
    done
    set_fault missing=finalize
    rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "$NAME" -o n.csr
    run acme-order run --json -o n.pem <n.csr
    [ "$status" = 76 ]
}

@test "FAULT-11, ACME-38a: a parameterised content type and unknown members are taken" {
    set_fault contentType=newOrder
    set_fault unknownMembers=1
    succeeds
}

@test "FAULT-11: a status that nobody knows is no success, and does not outlast --timeout" {
    set_fault unknownStatus=confused
    run acme-order run --json --timeout 5s -o n.pem <n.csr
    echo "$output"
    [ "$status" = 75 ]
    [ ! -e n.pem ]
}

@test "FAULT-12: a minimal directory is enough, one that leads away by host, http or redirect is not followed" {
    local form
    set_fault directory=minimal
    succeeds
    for form in otherHost plainHttp redirect; do
        set_fault "directory=$form"
        rm -f n.pem
        run acme-order run --json --state "$form" -o n.pem <n.csr
        echo "$form: $output"
        [ "$status" != 0 ]
        [ ! -e n.pem ]
    done
}

@test "FAULT-12, PRE-01a, PRE-01b: no newAuthz in the directory is told without a POST" {
    local before
    set_fault directory=noNewAuthz
    before=$(requests newAuthz)
    run acme-preauth new --json --state none other.domain.com
    [ "$status" = 69 ]
    [[ "$output" == *newAuthzUnsupported* ]]
    [ "$(requests newAuthz)" = "$before" ]
}

@test "FAULT-13, PRE-06a, PRE-05b: the subdomain flag absent or false is told" {
    local form
    for form in absent false; do
        set_fault "subdomainFlag=$form"
        run acme-preauth new --json --subdomains --require-subdomains "$form.domain.com"
        echo "$output"
        [ "$status" = 77 ]
    done
}

@test "FAULT-15: a finalize that is answered without Location" {
    set_fault noLocation=finalize
    succeeds
}

@test "FAULT-16: an account that is gone, deactivated, or has another key" {
    local form
    for form in doesNotExist:accountDoesNotExist deactivated:unauthorized keyChanged:malformed; do
        set_fault "account=${form%:*}"
        rm -f n.pem
        run acme-order run --json -o n.pem <n.csr
        echo "$output"
        [ "$status" != 0 ]
        [[ "$output" == *"${form#*:}"* ]]
        [ ! -e n.pem ]
    done
}

@test "FAULT-16, ACME-14b: changed terms: the page where a person has to agree is told" {
    set_fault newTerms=https://lab.invalid/terms/2
    run acme-order run --json -o n.pem <n.csr
    echo "$output"
    [ "$status" = 77 ]
    [[ "$output" == *userActionRequired* && "$output" == */agree/* ]]
    curl -sf --cacert "$CA_FILE" "$(grep -oE 'https://[^" ]*/agree/[A-Za-z0-9_-]+' <<<"$output" | head -n 1)"
    succeeds
}

@test "FAULT-17, ACME-13a, ACME-13b: problems of newOrder and finalize, several names at once" {
    local form
    for form in newOrder:caa:77 newOrder:rejectedIdentifier:77 finalize:badCSR:65 finalize:badPublicKey:65; do
        set_fault "problem=${form%:*}:1"
        rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "$NAME" -o n.csr
        rm -f n.pem
        run acme-order run --json -o n.pem <n.csr
        echo "$form: $output"
        [ "$status" != 0 ]
        [[ "$output" == *"$(cut -d: -f2 <<<"$form")"* ]]
        [ ! -e n.pem ]
    done
    set_fault "rejectIdentifiers=a.$NAME,b.$NAME"
    csr-build --key k.pem --dns "a.$NAME" --dns "b.$NAME" --dns "c.$NAME" -o n.csr
    run acme-order run --json -o n.pem <n.csr
    [ "$status" != 0 ]
    [[ "$output" == *"a.$NAME: "* && "$output" == *"b.$NAME: "* ]]
    # The document has every field.
    sed -n '/^{/,$p' <<<"$output" | jq -e --arg n "$NAME" '.problem | .type == "urn:ietf:params:acme:error:compound" and
        (.detail | length > 0) and ([.subproblems[] | .identifier.value] | sort) == ["a.\($n)", "b.\($n)"] and
        all(.subproblems[]; .type == "urn:ietf:params:acme:error:rejectedIdentifier" and (.detail | length > 0))'
}

@test "FAULT-18, PRE-18b: an authorization that has expired meanwhile is 79" {
    set_fault authzExpired=1
    run acme-order run --json -o n.pem <n.csr
    echo "$output"
    [ "$status" = 79 ]
}

@test "FAULT-12, FAULT-13, PRE-14: newAuthz 403, 404, 405, and an authorization for another name" {
    local value
    for value in 404 405; do
        set_fault "newAuthz=$value"
        run acme-preauth new --json other.domain.com
        [ "$status" = 69 ]
        [[ "$output" == *newAuthzUnsupported* ]]
    done
    set_fault newAuthz=403
    run acme-preauth new --json other.domain.com
    [ "$status" = 77 ]
    set_fault newAuthz=off
    set_fault otherIdentifier=1
    run acme-preauth new --json other.domain.com
    [ "$status" = 76 ]
    [[ "$output" == *otherIdentifier* ]]
}

@test "FAULT-14: certificates with CRLF, text, no end-of-line are taken" {
    local form
    for form in crlf text noeol; do
        set_fault "certificate=$form"
        rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "$form$NAME" -o n.csr
        NAME=$form$NAME succeeds
    done
}

certificate_is_refused() { # FORM:CODE...
    local form
    for form in "$@"; do
        set_fault "certificate=${form%:*}"
        rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "${form%:*}$NAME" -o n.csr
        fails_with 76 "${form#*:}"
    done
}

@test "FAULT-14, ACME-36a, ACME-36b: a certificate for another key, or for other names, is refused" {
    certificate_is_refused wrongkey:certificateKey wrongsan:certificateNames
}

@test "FAULT-14, ACME-33b, ACME-34a: a chain that does not begin with the certificate, or holds another block, is refused" {
    certificate_is_refused wrongorder:certificateKey foreignblock:chainForeignBlock
}

@test "ACME-32b: after badCSR the same order takes another request for its names" {
    local before
    before=$(requests newOrder)
    acme-order new -q -o o.json <n.csr
    set_fault problem=finalize:badCSR:1
    run acme-order finalize --json <o.json
    echo "$output"
    [ "$status" = 65 ]
    [[ "$output" == *badCSR* ]]
    acme-order status <o.json | jq -e '.status == "ready"'
    csr-build --new-key ec:P-256 --key-out k.second.pem --dns "$NAME" --json -o second.json
    jq --slurpfile c second.json '.csr = $c[0].csr' o.json >o2.json
    acme-order finalize -q -o o3.json <o2.json
    acme-order download -q -o n.pem <o3.json
    openssl x509 -in n.pem -noout -pubkey | cmp - <(openssl pkey -in k.second.pem -pubout)
    [ "$(requests newOrder)" = $((before + 1)) ]
}

@test "FAULT-03, CHAL-10c: valid authorizations without challenges need no solver; pending ones say what is offered" {
    set_fault emptyChallenges=1
    succeeds
    csr-build --key k.pem --dns elsewhere.example -o e.csr
    run acme-order run --json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" <e.csr
    [ "$status" = 79 ]
    [[ "$output" == *noUsableChallenge* ]]
}

@test "FAULT-20: two runs at once on one account and one name both end with a certificate" {
    acme-order run -q -o a.pem <n.csr &
    acme-order run -q -o b.pem <n.csr
    wait $!
    openssl verify -CAfile "$CA_ROOT" -untrusted a.pem a.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted b.pem b.pem
}

@test "FAULT-20: a full disk is 74 and loses no certificate" {
    run bash -c 'acme-order run -q <n.csr >/dev/full'
    [ "$status" = 74 ]
    succeeds # from the state, the order is not placed again
}

@test "FAULT-21, ACME-41: a 404 on what was just created is asked again" {
    acme-preauth deactivate -q -o /dev/null <authz.json
    set_fault notFound=authz:2
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    set_fault notFound=finalize:2
    succeeds
}

later() { # [CLOCK]: leaves an order that is processing
    set_fault processing=3
    set_fault retryAfter=60
    run at_clock "${1:-+0}" acme-order run --json --timeout 5s -o n.pem <n.csr
    [ "$status" = 75 ]
    set_fault processing=off
    set_fault retryAfter=off
    sleep 3
}

placed() { # orders for NAME
    grep '"resource":"newOrder"' "$CA_LOG" | grep -c "\"$NAME\""
}

@test "ACME-40, ACME-42c: what says nothing of an order keeps it: a key or an account that is refused, a proxy's page" {
    later
    local form
    for form in account=keyChanged account=deactivated account=doesNotExist problem=order:unauthorized; do
        set_fault "$form"
        run acme-order run --json -o n.pem <n.csr
        echo "$form: $output"
        [ "$status" = 77 ]
        set_fault "${form%%=*}=off"
    done
    # 404 and 403 without a problem document.
    set_fault html=order
    for form in notFound=order problem=order:unauthorized; do
        set_fault "$form"
        run acme-order run --json -o n.pem <n.csr
        echo "$form: $output"
        [ "$status" = 77 ]
        [[ "$output" == *"without a problem document"* ]]
        set_fault "${form%%=*}=off"
    done
    set_fault html=off
    succeeds
    [ "$(placed)" = 1 ]
}

@test "ACME-41, ACME-42c: a certificate that is not found for a while, in a later run, too" {
    later
    set_fault notFound=certificate
    run acme-order run --json -o n.pem <n.csr
    [ "$status" = 77 ]
    set_fault notFound=certificate:2
    succeeds
    [ "$(placed)" = 1 ]
}

@test "ACME-40: an order that the CA has no more is placed anew" {
    acme-order new -q -o o.json <n.csr
    set_fault notFound=order
    succeeds
    [ "$(placed)" = 2 ]
    # 403 for this order, while the account is valid, and 404 without a problem document.
    set_fault notFound=off
    local form name
    for form in problem=order:unauthorized:1 notFound=order:1; do
        name=${form:0:1}$NAME
        rm -f k.pem && csr-build --new-key ec:P-256 --key-out k.pem --dns "$name" -o n.csr
        acme-order new -q -o o.json <n.csr
        set_fault "$form"
        [ "$form" != notFound=order:1 ] || set_fault html=order:1
        NAME=$name succeeds
    done
}

@test "ACME-40, ACME-42c: a finalized order that is not found, without a problem document, is placed anew after a day, if the account is valid" {
    later
    set_fault html=order
    local form
    for form in notFound=order problem=order:unauthorized; do
        set_fault "$form"
        run at_clock +23h acme-order run --json -o n.pem <n.csr
        [ "$status" = 77 ]
        [ "$(placed)" = 1 ]
        set_fault "${form%%=*}=off"
    done
    set_fault notFound=order
    set_fault account=deactivated
    run at_clock +25h acme-order run --json -o n.pem <n.csr
    [ "$status" = 77 ]
    set_fault account=off
    set_fault html=order:1
    set_fault notFound=order:1
    at_clock +25h acme-order run -q -o n.pem <n.csr
    [ "$(placed)" = 2 ]
}

@test "ACME-36c, ACME-40: an order whose certificate is past a third of its life, or has expired, is placed anew" {
    later
    at_clock +3d acme-order run -q -o n.pem <n.csr
    [ "$(placed)" = 2 ]
    later
    [ "$(placed)" = 3 ]
    run at_clock +8d acme-order run --json -o n.pem <n.csr # of acme-ca, whose clock is right
    [ "$status" = 76 ]
    [[ "$output" == *certificateExpired* ]]
    [ "$(placed)" = 4 ]
    acme-order run -q -o n.pem <n.csr
    [ "$(placed)" = 4 ]
    # Its life counts from finalize: a clock that is ahead, or a CA that dates back, makes no certificate old.
    later +3d
    [ "$(placed)" = 5 ]
    at_clock +3d acme-order run -q -o n.pem <n.csr
    [ "$(placed)" = 5 ]
    # Step by step, where the document names the order.
    acme-order new -q -o o.json <n.csr
    acme-order finalize -q -o o2.json <o.json
    run at_clock +8d acme-order download --json -o n.pem <o2.json
    [ "$status" = 76 ]
    [[ "$output" == *certificateExpired* ]]
    acme-order new -q -o again.json <n.csr
    [ "$(jq -r .url again.json)" != "$(jq -r .url o.json)" ]
}

@test "ACME-18c: the account's key in a CSR is refused before any order" {
    local before
    before=$(requests newOrder)
    csr-build --key acct.key --dns "$NAME" -o n.csr
    fails_with 65 accountKeyInCsr
    [ "$(requests newOrder)" = "$before" ]
}

@test "ACME-39c, SEC-09: no key, token of DNS or account secret in trace, log or JSON" {
    acme-order run -vv --json --trace t.jsonl --show flow -o n.json <n.csr 2>err
    acme-preauth run -vv --trace t.jsonl --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o a.json sec.domain.com 2>>err
    jq -e .label t.jsonl >/dev/null
    [ "$(stat -c %a t.jsonl)" = 600 ]
    local secret
    for secret in "$(cut -d: -f3 "$TSIG_KEY")" "$(sed -n 2p acct.key)" "PRIVATE KEY"; do
        run grep -F -- "$secret" t.jsonl err n.json a.json
        [ "$status" = 1 ]
    done
    # What is signed: the beginning of a header with alg, jwk, kid, nonce or url, or of a payload with identifiers, csr or
    # contact, whichever is the first of its members. Less than that is in base64 by chance.
    run grep -E 'eyJ(hbGci|qd2si|raWQi|ub25j|1cmwi|pZGVu|jc3Ii|jb250)' t.jsonl err n.json a.json
    [ "$status" = 1 ]
}
