#!/usr/bin/env bats
# What the clients keep, for users without a relay: list and status of acme-order, acme-preauth and est-enroll.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/client
load ../lib/est

bats_require_minimum_version 1.5.0

setup_file() {
    client_world
}

teardown_file() {
    client_world_ends
}

# Each test has the account with a state of its own.
setup() {
    client_test
    cp "$FILES/acct.json" "$FILES/acct.key" .
    cp -r "$FILES/acct.json.d" .
    export ACMETOOL_ACCOUNT=acct.json
}

teardown() {
    stop_all
}

valid() { # FILE
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/kept.json" <"$1"
}

# says STATUS STATE PROGRAM...: the exit status and the state of the first entry, with what is wrong in WRONG and NEXT.
says() {
    local expected=$1 state=$2 status=0
    shift 2
    "$@" --json >said.json || status=$?
    cat said.json
    [ "$status" = "$expected" ]
    valid said.json
    jq -e --arg s "$state" '.entries[0].state == $s' said.json
    WRONG=$(jq -r '.entries[0].wrong // ""' said.json)
    NEXT=$(jq -r '.entries[0].next // ""' said.json)
}

narrow() { # no line of the text is longer than 60 columns, but for one without a blank to break it at
    ! grep -E '.{61}' "$1" | grep -vE '^ *[^ ]+$' | grep -vE ' {2,}[^ ]{44,}$'
}

@test "OPR-60: lists of certificates, orders and authorizations, counts first, in 60 columns and as a document; nothing is sent or made" {
    acme-order list >empty.txt
    [ "$(head -n 1 empty.txt)" = "nothing is kept" ]
    acme-order renew -q --csr c.csr -o c.pem
    mkdir -p "deep/$(printf 'x%.0s' {1..60})"
    acme-order renew -q --csr c.csr -o "deep/$(printf 'x%.0s' {1..60})/d.pem"
    csr-build --new-key ec:P-256 --key-out o.key --dns "order.$NAME" | acme-order new -q -o o.json
    local before
    before=$(wc -l <"$CA_LOG")
    find . -type f -exec sha256sum {} + | sort >files.before
    acme-order list >list.txt 3>&-
    cat list.txt
    sed -n 1p list.txt | grep -Fx '2 certificates: 2 well'
    sed -n 2p list.txt | grep -Fx '1 order: 1 unfinished'
    grep -Fx "    $PWD/c.pem" list.txt
    grep -E '^well +[0-9]+  20[0-9TZ:-]{18}$' list.txt
    narrow list.txt
    acme-order list --json >list.json
    valid list.json
    jq -e --arg f "$PWD/c.pem" --arg n "$NAME" --arg d "$CA_DIRECTORY" '.type == "kept" and .alarm == "warning" and
        .counts.well == 2 and .counts.unfinished == 1 and .accounts[0].directory == $d and
        (.entries | map(select(.name == $f))[0] | .state == "well" and .kind == "certificate" and
         .identifiers == [{type: "dns", value: $n}] and .renewAt < .expires and .lastSuccess) and
        (.entries[-1] | .kind == "order" and .name == "order.'"$NAME"'" and (.url | startswith("https://")))' list.json
    acme-preauth list >authz.txt
    cat authz.txt
    [ "$(head -n 1 authz.txt)" = "1 authorization: 1 well" ]
    narrow authz.txt
    acme-preauth list --json >authz.list.json
    valid authz.list.json
    jq -e '.entries[0] | .kind == "authorization" and .name == "domain.com" and .state == "well" and .renewAt < .expires' authz.list.json
    acme-preauth status domain.com
    rm -f list.txt list.json authz.txt authz.list.json
    find . -type f ! -name files.before -exec sha256sum {} + | sort >files.after
    diff <(grep -v ' ./files\| ./empty' files.before) <(grep -v ' ./files\| ./empty' files.after)
    [ "$before" = "$(wc -l <"$CA_LOG")" ]
}

@test "OPR-61: status of a certificate: well, due, overdue, expired, missing, with what happens next and a status for monitors" {
    acme-order renew -q --csr c.csr -o c.pem
    says 0 well acme-order status c.pem
    [ "$NEXT" = "acme-order renew renews it at $(jq -r '.entries[0].renewAt' said.json)" ]
    acme-order status c.pem >screen
    grep -F "certificate $PWD/c.pem: well" <(tr -s '\n ' ' ' <screen)
    narrow screen
    # 7 days of life, renewed with a third left.
    says 0 due at_clock +5d acme-order status c.pem
    [ "$NEXT" = "acme-order renew renews it with its next run" ]
    says 1 overdue at_clock +6d acme-order status c.pem
    [[ "$NEXT" == *"look at the timer"* ]]
    says 2 expired at_clock +8d acme-order status c.pem
    [[ "$WRONG" == "it expired at 20"* ]]
    rm c.pem
    says 2 missing acme-order status c.pem
    mkdir c.pem
    says 3 unknown acme-order status --all
    run acme-order status --json other.pem
    [ "$status" = 65 ]
    [[ "$output" == *'"code": "unknownEntry"'* ]]
    # Without any, the verb reads an order document as before.
    csr-build --new-key ec:P-256 --key-out o.key --dns "order.$NAME" | acme-order new -q -o o.json
    acme-order status <o.json | jq -e '.type == "order"'
}

@test "OPR-62: a failed renewal is kept with time, cause and next step until a run succeeds" {
    acme-order renew -q --csr c.csr -o c.pem
    set_fault problem=newOrder:rejectedIdentifier
    run at_clock +5d acme-order renew -q --csr c.csr -o c.pem
    [ "$status" = 77 ]
    says 1 failed at_clock +5d acme-order status c.pem
    [[ "$WRONG" == "the run at 20"*"newOrder"*"rejectedIdentifier"* ]]
    [[ "$NEXT" == *"acme-order renew tries again with its next run" ]]
    jq -e '.entries[0].lastFailure.code == "rejectedIdentifier"' said.json
    says 2 expired at_clock +8d acme-order status c.pem
    [[ "$WRONG" == *"rejectedIdentifier"* ]]
    set_fault problem=off
    at_clock +5d acme-order renew -q --csr c.csr -o c.pem
    says 0 well acme-order status c.pem
    jq -e '.entries[0] | has("lastFailure") | not' said.json
    # A failure before any request, here of the account, too; it is over when there is nothing to do.
    mv acct.key gone.key
    run at_clock +5d acme-order renew -q --csr c.csr -o c.pem
    [ "$status" = 78 ]
    mv gone.key acct.key
    says 1 failed acme-order status c.pem
    acme-order renew -q --csr c.csr -o c.pem
    says 0 well acme-order status c.pem
    # An authorization.
    set_fault problem=newAuthz:rejectedIdentifier
    run at_clock +29d acme-preauth renew -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" domain.com
    [ "$status" = 77 ]
    says 1 failed at_clock +29d acme-preauth status domain.com
    [[ "$WRONG" == *"newAuthz: "*"rejectedIdentifier"* ]]
    says 2 expired at_clock +40d acme-preauth status --all
    set_fault problem=off
    at_clock +29d acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o a.json domain.com
    says 0 well acme-preauth status domain.com
}

@test "OPR-60, OPR-61: a folder of files: each with its own account and margin, a key that does not fit, files that are wrong" {
    unset ACMETOOL_ACCOUNT # which goes before the files
    mkdir d
    printf 'key = "k"\ndns = ["%s"]\noutput = "a.pem"\n' "$NAME" >d/a.toml
    printf 'csr = "c.csr"\noutput = "b.pem"\nbefore = "4000d"\n' >d/b.toml
    printf 'csr = "c.csr"\noutput = "c.pem"\naccount = "%s"\nstate = "other"\n' "$FILES/acct.json" >d/c.toml
    printf 'csr = "none.csr"\noutput = "e.pem"\n' >d/e.toml
    printf 'nonsense = 1\n' >d/f.toml
    run acme-order renew -q --config-dir d
    [ "$status" != 0 ]
    cp acct.json list.acct.json
    acme-order list --json --config-dir d -o list.json
    cat list.json
    valid list.json
    jq -e '[.entries[] | [.name, .state]] == [["a.pem", "well"], ["b.pem", "due"], ["c.pem", "well"], ["e.pem", "unknown"],
        ["d/f.toml", "unknown"]] and (.accounts | length == 2)' list.json
    says 0 well acme-order status --config-dir d a.pem
    says 3 unknown acme-order status --config-dir d e.pem
    # The command line goes before the files.
    acme-order list --json --before 4000d --config-dir d | jq -e '[.entries[].state][0:3] == ["due", "due", "due"]'
    csr-build --new-key ec:P-256 --key-out k2 --dns "$NAME" -o c.csr
    says 2 mismatch acme-order status --config-dir d b.pem
    [ "$WRONG" = "its key is not the key of the request" ]
    run acme-order status --all --config-dir d
    [ "$status" = 2 ]
    run acme-order list --config-dir nowhere
    [ "$status" = 78 ]
    run acme-order list --account none.json
    [ "$status" = 78 ]
}

@test "OPR-60: what a CA wrote into an error reaches the screen harmlessly" {
    acme-order renew -q --csr c.csr -o c.pem
    local entry
    entry=$(ls acct.json.d/certificates/*.json)
    jq '.lastFailure = {at: "2026-11-01T00:00:00Z", code: "x\u001b[2J", message: "no\u001b]0;title\u0007 <b>\n\nwell", hint: "\u009b31m"}' \
        "$entry" >e.json
    cp e.json "$entry"
    local verb words
    for verb in "list" "status c.pem" "list --json" "status --json c.pem"; do
        read -ra words <<<"$verb"
        run acme-order "${words[@]}"
        [[ "$output" == *"title"* ]]
        ! LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output" || false
    done
    # A damaged entry is one that nobody knows, and ends nothing.
    echo '{"file": 7' >"$entry"
    says 3 unknown acme-order status --all
}

@test "OPR-63: est-enroll list and status: due, expired, another key, a journal, a folder of files" {
    est_world
    DAYS=30 issue dev /CN=dev ca subjectAltName=DNS:dev.example
    says 0 well est-enroll status --cert dev.pem --key dev.key
    jq -e '.entries[0].identifiers == [{type: "dns", value: "dev.example"}]' said.json
    says 0 due at_clock +22d est-enroll status --cert dev.pem --key dev.key
    says 2 expired at_clock +31d est-enroll status --cert dev.pem --key dev.key
    says 2 mismatch est-enroll status --cert dev.pem --key ca.key
    says 3 unknown est-enroll status --cert dev.pem --key none.key
    says 2 missing est-enroll status --cert none.pem --key dev.key
    [ "$NEXT" = "est-enroll run gets the first one" ]
    echo '{"type": "est-journal", "version": 1, "url": "https://ra.example/", "keyFile": "dev.key"}' >dev.key.journal
    says 1 unfinished est-enroll status --cert dev.pem --key dev.key
    echo '{}' >dev.key.journal
    says 3 unknown est-enroll status --cert dev.pem --key dev.key
    rm dev.key.journal
    mkdir d
    printf 'server = "https://ra.example"\ncert = "dev.pem"\nkey = "dev.key"\n' >d/dev.toml
    printf 'cert = "dev.pem"\nkey = "ca.key"\n' >d/wrong.toml
    printf 'cert = "dev.pem"\n' >d/half.toml
    est-enroll list --config-dir d >list.txt
    cat list.txt
    [ "$(head -n 1 list.txt)" = "3 certificates: 1 mismatch, 1 unknown, 1 well" ]
    narrow list.txt
    est-enroll list --json --config-dir d >list.json
    valid list.json
    jq -e '[.entries[] | [.name, .state]] == [["dev.pem", "well"], ["d/half.toml", "unknown"], ["dev.pem", "mismatch"]]' list.json
    run est-enroll list
    [ "$status" = 64 ]
}
