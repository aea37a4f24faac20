#!/usr/bin/env bats
# A MASA that signs and sends anything: at the pledge, and at the registrar.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/relay
load ../lib/est
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_flow5
    no_ca
}

teardown() {
    stop_all
}

# What a member of a voucher may be instead; jq expressions for the object with the leaves.
LEAVES=(
    '.assertion = "\u001b[2Jlogged"' '.assertion = 7' '.assertion = null' '.assertion = ["logged"]' '.assertion = ""'
    '."serial-number" = "pledgeid\u0000"' '."serial-number" = "pledgeid\n"' '."serial-number" = "\u001b[31mpledgeid"'
    '."serial-number" = "\u009b2Jpledgeid"' '."serial-number" = ""' '."serial-number" = 7' '."serial-number" = ["pledgeid"]'
    '."serial-number" = "x" * 50000' '."serial-number" = {}'
    '.nonce = "\u001b[2J"' '.nonce = "A" * 5000' '.nonce = 7' '.nonce = "AAAA"' '.nonce = ["A"]'
    '."created-on" = "\u001b[2J"' '."created-on" = "9999-99-99T99:99:99Z"' '."created-on" = "2999-01-01T00:00:00Z"'
    '."created-on" = -1' '."created-on" = "2026-01-01T00:00:00+99:99"' 'del(."created-on")'
    '."expires-on" = "2000-01-01T00:00:00Z"' '."expires-on" = "\u001b"'
    '."pinned-domain-cert" = "\u001b[2J"' '."pinned-domain-cert" = "AAAA"' '."pinned-domain-cert" = ["AAAA"]'
    '."pinned-domain-cert" = "A" * 40000' '."pinned-domain-cert" = null' 'del(."pinned-domain-cert")'
    '."idevid-issuer" = "\u001b[2J"' '."idevid-issuer" = "AAAA"' '."idevid-issuer" = 7'
    '."domain-cert-revocation-checks" = "\u001b[2J"' '."domain-cert-revocation-checks" = true'
)
# Texts that are no voucher.
TEXTS=('' '[]' 'null' '{}' '{"ietf-voucher:voucher":[]}' '{"ietf-voucher:voucher":{}}' '{"ietf-voucher:voucher":{"a":1,"a":2}}'
    '{"\u001b[2J":{"\u001b":"\u001b"}}' $'\e[2J' '{"ietf-voucher:voucher":{"nonce":1e999999}}' "$(printf '[%.0s' {1..2000})")

@test "SEC-10, BRP-02e: whatever a signed voucher says, brski-pledge verify takes the right one only and shows nothing raw" {
    local text change
    request one
    verify() {
        status=0
        brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request one --explain "$@" \
            <voucher >out 2>told || status=$?
    }
    make_voucher voucher "$(voucher_json one)"
    verify
    [ "$status" = 0 ]
    refused() { # WHAT
        verify
        [[ $status =~ ^(76|77)$ ]] || { echo "$1: $status" && cat -v told && false; }
        if grep CERTIFICATE out; then return 1; fi
        clean out told
        (($(wc -c <told) < 5000))
        verify --json
        [[ $status =~ ^(76|77)$ ]]
        clean out told
    }
    for change in "${LEAVES[@]}"; do
        make_voucher voucher "$(voucher_json one | jq -c "(.\"ietf-voucher:voucher\") |= ($change)")"
        refused "$change"
    done
    for text in "${TEXTS[@]}"; do
        make_voucher voucher "$text"
        refused "${text:0:60}"
    done
    # Signed by a certificate that says anything.
    openssl ecparam -name prime256v1 -genkey -noout -out signer.key
    for name in $(python3 "$ROOT/tests/lib/odd_maker.py" "$MAKER/vendor.pem" "$MAKER/vendor.key" signer.key odd |
        grep -E '^(nul|escape|c1|none|nobody|masa-escape|san-control|critical|expired|serial-long)$'); do
        cp signer.key "odd/$name.key"
        make_voucher voucher "$(voucher_json one)" "odd/$name" 2>/dev/null || continue
        verify
        clean out told
        # Only where nothing says that it is a device's.
        [[ $status =~ ^(76|77)$ ]] || [[ $name =~ ^(none|nobody)$ ]] || { echo "$name: $status" && false; }
    done
}

@test "SEC-10, SEC-06: whatever a MASA answers, the registrar forwards no such voucher and logs none of it raw" {
    cp "$MAKER/vendor.pem" ca.pem
    cp "$MAKER/vendor.key" ca.key
    cp ca.pem foreign.pem
    issue liar /CN=liar ca subjectAltName=IP:127.0.0.1 extendedKeyUsage=serverAuth
    start_est lies liar
    MASA_PORT=${EST_URL##*:}
    rm pledgeid.pem pledgeid.key
    make_pledge "$MAKER" pledgeid
    registrar 'wait = "5s"'
    local change reply log
    refused() { # WHAT
        ask one
        [[ $STATUS =~ ^(202|403|502|503)$ ]] || { echo "$1: $STATUS" && false; }
        clean answer headers.text
        (($(wc -c <answer) < 2000))
    }
    ask() {
        post requestvoucher one application/voucher-cms+json
        tr -d '\r' <headers >headers.text
    }
    for change in '."serial-number" = "pledgeid\u0000"' '."serial-number" = "\u001b[31mpledgeid"' '.nonce = "\u001b[2J"' \
        '.nonce = 7' '."created-on" = "\u001b[2J"' '."pinned-domain-cert" = "AAAA"' '.assertion = "\u009b2J"'; do
        request one
        make_voucher voucher "$(voucher_json one | jq -c "(.\"ietf-voucher:voucher\") |= ($change)")"
        rules "$(jq -n --arg file "$PWD/voucher" '{requestvoucher: [{file: $file, headers: {"Content-Type": "application/voucher-cms+json"}}]}')"
        refused "$change"
    done
    for reply in '{"status": 401, "body": "no\u001b[2J\u0007\u009b31m\nmore\r\n{\"event\":\"x\"}"}' \
        '{"status": 403, "body": "\u0000\u0000", "headers": {"Content-Type": "text/\u001bplain"}}' '{"status": 200, "body": "{}"}' \
        '{"status": 200, "headers": {"Content-Type": "application/voucher-cms+json", "Content-Encoding": "gzip"}, "body": "\u001f\u008b"}' \
        '{"status": 299}' '{"status": 204}' '{"status": 303, "headers": {"Location": "file:///etc/passwd"}}' \
        '{"status": 201, "headers": {"Location": "//evil.invalid/\u001b[2J"}}' '{"status": 500, "headers": {"Retry-After": "99999999999999999999"}}'; do
        request one
        rules "$(jq -n --argjson reply "$reply" '{requestvoucher: [$reply]}')"
        refused "$reply"
    done
    # The voucher is right, the log is not.
    for log in '[]' '{"version":1,"events":7}' '{"version":1,"events":[{"date":"\u001b[2J","domainID":"\u001b","nonce":"\n","assertion":"\u0007"}]}' \
        '{"version":"1\u001b","events":[]}' '{"version":1,"events":[{"date":"2026-01-01T00:00:00Z","domainID":"'"$(printf 'x%.0s' {1..3000})"'","nonce":"AAAA","assertion":"logged"}]}'; do
        request one
        make_voucher voucher "$(voucher_json one)"
        rules "$(jq -n --arg file "$PWD/voucher" --arg log "$log" '{requestvoucher: [{file: $file, headers: {"Content-Type": "application/voucher-cms+json"}}],
            requestauditlog: [{body: $log, headers: {"Content-Type": "application/json"}}]}')"
        refused "${log:0:80}"
    done
    clean "$PKI/relay.log"
    jq -e 'type == "object"' "$PKI/relay.log" >/dev/null
    [ "$(est_code csrattrs)" = 403 ]
    [ "$(asked '[.[].operation] | unique - ["requestauditlog", "requestvoucher"]')" = '[]' ]
}
