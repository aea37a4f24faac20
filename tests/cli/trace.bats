#!/usr/bin/env bats
# acme-trace: what --trace wrote, drawn later.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

# line FROM TO LABEL TIME [MEMBER...]: one of a trace file.
line() {
    jq -cn --arg f "$1" --arg t "$2" --arg l "$3" --arg at "2026-11-23T$4Z" "{from: \$f, to: \$t, label: \$l, time: \$at} + {${5:-}}"
}

@test "acme-trace: a failure of long ago with its words, its attempts and the time that passed, from a file or a pipe" {
    {
        line client acme "POST /newOrder" 09:14:02 'method: "POST", detail: "sub.domain.com"'
        line acme client "403 rateLimited" 09:14:02 'status: 403, ms: 12, detail: "too many orders"'
        line client acme "POST /newOrder" 10:14:02 'method: "POST", detail: "sub.domain.com"'
        line acme client "201 status=ready" 10:14:03 'status: 201, ms: 7'
        line client dns "Publish DNS TXT" 10:14:03 'method: "UPDATE", more: [1]'
        echo '{"type": "of tomorrow"}'
    } >t.jsonl
    printf '{"from": "client", "la' >>t.jsonl
    acme-trace show t.jsonl >drawn 2>err
    grep -E '^ +\| Client \| +\| ACME \| +\| DNS \|$' drawn
    grep -E '^ +! +\| 403 rateLimited \(12 ms\) ' drawn
    grep -F 'too many orders' drawn
    grep -E '^\+1 h +: ' drawn
    grep -F 'attempt 2' drawn
    [ "$(tail -n 1 drawn)" = "5 messages in 1 h, 1 failure" ]
    grep -F 'the last line is incomplete' err
    grep -F 'line 6' err
    acme-trace show -q <t.jsonl | cmp - drawn
    acme-trace svg -q t.jsonl -o t.svg
    python3 -c 'import xml.dom.minidom, sys; d = xml.dom.minidom.parse("t.svg"); sys.exit(d.documentElement.tagName != "svg")'
    [ "$(grep -c 'class="failed"' t.svg)" = 1 ]
    acme-trace show -q --json t.jsonl >t.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/ladder.json" <t.json
    jq -e '.failures == 1 and .skipped == 2 and .participants == ["Client", "ACME", "DNS"] and .messages[2].attempt == 2' t.json
    acme-trace show -q --since 2026-11-23T10:00:00Z --until 2026-11-23T10:14:02Z t.jsonl >part
    [ "$(tail -n 1 part)" = "1 message, no failure" ]
}

@test "acme-trace: no trace, an empty one, none in that time, a wrong time and two files" {
    echo "what is this?" >junk
    local case words
    line client acme x 09:14:02 >t.jsonl
    for case in "65 noTrace show junk" "65 bad_input show nowhere" "65 noMessages show --since 1s t.jsonl" \
        "64 usage show --since soon t.jsonl" "64 usage svg junk junk"; do
        read -ra words <<<"$case"
        run acme-trace "${words[2]}" --json "${words[@]:3}" -o out
        echo "$case: $output"
        [ "$status" = "${words[0]}" ]
        [[ "$output" == *"\"code\": \""* ]]
        [ ! -e out ]
    done
    run acme-trace show --json </dev/null
    [ "$status" = 65 ]
    [[ "$output" == *emptyInput* ]]
}

@test "acme-trace, FAULT-01: problems, a CA that does not answer and a DNS server that refuses stand in the trace" {
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    echo "hmac-sha256:stranger:$(head -c 32 /dev/zero | base64)" >stranger.key
    run acme-preauth run --dns-update "$DNS_SERVER" --tsig-key stranger.key --trace t.jsonl domain.com
    [ "$status" != 0 ]
    set_fault badNonce=100
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com -o c.csr
    run acme-order run --trace t.jsonl --timeout 30s -o c.pem <c.csr # it gives up long before
    [ "$status" != 0 ]
    stop_all
    run acme-order run --trace t.jsonl --timeout 3s -o c.pem <c.csr
    [ "$status" != 0 ]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/trace.json" <t.jsonl
    acme-trace show t.jsonl >drawn
    grep -E '! +\| failed +\|' drawn
    grep -E '! +\| 400 badNonce \([0-9]+ ms\)' drawn
    grep -F 'attempt 2' drawn
    grep -E '! +\| no answer ' drawn
}

@test "FLD-U15: messages at a terminal have colours, but none with TERM=dumb or NO_COLOR; an empty NO_COLOR has no effect" {
    colours() { # VARIABLE...: of an error at a terminal
        env -u NO_COLOR TERM=xterm "$@" script -qec "acme-trace show nowhere" /dev/null </dev/null >screen || true
        cat screen
        grep -q 'nowhere' screen
        grep -q $'\x1b\[31m' screen
    }
    colours A=b
    colours NO_COLOR=
    ! colours NO_COLOR=1 || return 1
    ! grep -q $'\x1b' screen || return 1
    ! colours TERM=dumb || return 1
    ! grep -q $'\x1b' screen || return 1
}
