#!/usr/bin/env bats
# What comes back from DNS and is not the server's answer: forged, of another question, unsigned; a scripted server.

load ../lib/common
load ../lib/ca

NAME=_acme-challenge.domain.com
VALUE=iQ8vWkZ0mJ2bq8y5nXoH3dXw1cTtKpGfRsUeVaYzLhM

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    KEY="hmac-sha256:acme.key:$(openssl rand -base64 32)"
    (umask 077 && echo "$KEY" >tsig.key)
    jq -n --arg name "$NAME" --arg value "$VALUE" '{type: "authorization", version: 1, status: "pending",
        identifier: {type: "dns", value: "domain.com"}, url: "https://ca.example/authz/1",
        challenge: {type: "dns-01", url: "https://ca.example/challenge/1", token: $value},
        record: {name: $name, value: $value}}' >t.json
}

teardown() {
    stop_all
}

odd_dns() { # MODE...: sets DNS_SERVER
    local pid=${DNS_PID:-}
    [ -z "$pid" ] || { kill "$pid" && wait "$pid" || true; }
    rm -f port
    : >records
    python3 "$ROOT/tests/lib/odd_dns.py" records "$KEY" "$@" >port 2>odd.err &
    DNS_PID=$!
    STARTED+=("$DNS_PID")
    wait_for 10 grep -q . port
    DNS_SERVER=127.0.0.1:$(cat port)
}

publish() {
    run acme-preauth publish --json --dns-update "$DNS_SERVER" --tsig-key tsig.key --dns-wait 20s <t.json
    echo "$output"
}

says() { # STATUS CODE
    [ "$status" = "$1" ]
    [[ "$output" == *"\"code\": \"$2\""* ]]
}

@test "SEC-30: datagrams that answer another question, or nothing, end no query: the answer after them counts" {
    local mode
    for mode in echo garbage otherId otherName otherType noQuestion broken; do
        echo "$mode"
        odd_dns "$mode"
        publish
        [ "$status" = 0 ]
        [ "$(sort -u records)" = "$NAME $VALUE" ] # more lines if the update was sent again
    done
}

@test "SEC-30: where nothing else comes, there is no answer, and the error tells what was ignored" {
    local mode
    for mode in echo otherName; do
        odd_dns "$mode" only
        publish
        says 69 dnsTimeout
        [[ "$output" == *ignored* ]]
    done
    odd_dns broken only
    publish
    says 76 badDnsMessage
}

@test "SEC-30: over TCP an answer to another question is an error at once" {
    odd_dns tcp otherName
    publish
    says 76 dnsMismatch
    odd_dns tcp
    publish
    [ "$status" = 0 ]
}

@test "CHAL-05a: the zone is found where negative answers are without its SOA" {
    odd_dns noSoa
    publish
    [ "$status" = 0 ]
    [ "$(sort -u records)" = "$NAME $VALUE" ]
}

@test "CHAL-06c: an update's answer that is unsigned, signed wrongly, by another key or long ago is none, and fails the update (CHAL-12)" {
    local how
    for how in none wrong otherKey empty; do
        echo "$how"
        odd_dns "tsig=$how" only
        publish
        says 76 tsigUnsigned
    done
    odd_dns tsig=late only
    publish
    says 77 tsigBadTime
}

@test "CHAL-06a, CHAL-06b: an update is signed with the key's algorithm and a fudge of 300 seconds" {
    odd_dns
    publish
    [ "$status" = 0 ]
    [ "$(sort -u records.tsig)" = "hmac-sha256 300" ]
}

@test "CHAL-06c: the answer that is signed counts, whatever came before it (CHAL-12)" {
    local how
    for how in none wrong otherKey late; do
        echo "$how"
        odd_dns "tsig=$how"
        publish
        [ "$status" = 0 ]
    done
}

@test "SEC-30: acme-ca takes no TXT record of another owner for the name's, and follows CNAMEs of the name only" {
    printf '#!/bin/sh\ncase $1 in begin) echo "$ACMETOOL_FQDN $ACMETOOL_VALUE" >"%s/records" ;; esac\n' "$PWD" >hook
    chmod +x hook
    local mode
    for mode in otherOwner strayAlias alias; do
        echo "$mode"
        odd_dns "$mode"
        start_ca "$PWD/ca-$mode" --dns-server "$DNS_SERVER"
        acme-account register -q --account "$mode.json" --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -o /dev/null
        run acme-preauth run --json --account "$mode.json" --hook ./hook --no-dns-check victim.domain.com
        echo "$output"
        [ "$(cut -d' ' -f1 records)" = _acme-challenge.victim.domain.com ]
        if [ "$mode" = alias ]; then
            [ "$status" = 0 ]
        else
            says 77 validationFailed
        fi
    done
}

@test "SEC-30: a CAA record of another owner forbids nothing, and allows nothing" {
    start_ca "$PWD/ca" --issuer-domain lab.invalid
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -o /dev/null
    odd_dns caa
    acme-preauth caa-record --json --resolver "$DNS_SERVER" victim.domain.com | jq -e '.present | .allowed == false and
        (.records | length == 1)'
    odd_dns caa otherOwner
    acme-preauth caa-record --json --resolver "$DNS_SERVER" victim.domain.com | jq -e '.present | .allowed and .records == []'
}

@test "SEC-10, SEC-30: whatever an answer holds, clients and acme-ca end as documented and show nothing of it raw" {
    start_ca "$PWD/ca" --issuer-domain lab.invalid
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -o /dev/null
    local mode status
    for mode in cnameLoop cnameChain texts labels caaTexts loop more "tcp forward" "tcp counts" "tcp cut"; do
        # shellcheck disable=SC2086 # words
        odd_dns $mode
        status=0
        acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key tsig.key --dns-wait 500ms -v <t.json >out 2>told || status=$?
        [[ $status =~ ^(0|69|75|76|77)$ ]] || { echo "publish $mode: $status" && cat -v told && false; }
        clean out told
        status=0
        acme-preauth caa-record --json --resolver "$DNS_SERVER" victim.domain.com -v >out 2>told || status=$?
        [[ $status =~ ^(0|69|76|77)$ ]] || { echo "caa-record $mode: $status" && cat -v told && false; }
        clean out told
    done
    # The CA's own look at them.
    printf '#!/bin/sh\ncase $1 in begin) echo "$ACMETOOL_FQDN $ACMETOOL_VALUE" >"%s/records" ;; esac\n' "$PWD" >hook
    chmod +x hook
    for mode in cnameLoop cnameChain texts; do
        odd_dns "$mode"
        start_ca "$PWD/ca-$mode" --dns-server "$DNS_SERVER"
        acme-account register -q --account "$mode.json" --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -o /dev/null
        status=0
        acme-preauth run --account "$mode.json" --hook ./hook --no-dns-check victim.domain.com >out 2>told || status=$?
        [[ $status =~ ^(0|77)$ ]] || { echo "$mode: $status" && cat -v told && false; }
        clean out told "$PWD/ca-$mode.err"
    done
}
