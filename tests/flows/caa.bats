#!/usr/bin/env bats
# CAA records: acme-preauth caa-record prints them, name servers have them word for word, and what is there is judged.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_ca "$PWD/ca" --issuer-domain lab.invalid --issuer-domain other.invalid
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    URL=$(jq -r .url account.json)
}

teardown() {
    stop_all
}

# caa_values NAME: the CAA records that DNS_SERVER has there, as a zone file has them.
caa_values() {
    kdig @127.0.0.1 -p "${DNS_SERVER##*:}" +short +time=2 CAA "$1" | sed 's/ *$//' | sort
}

# judged DOMAIN OPTION...: what is told of the records that are there.
judged() {
    acme-preauth caa-record --resolver "$DNS_SERVER" -o record.out "$@" 2>&1
}

@test "EXT-06: caa-record: BIND and Knot have the records word for word, and the account is let in by them alone" {
    acme-preauth caa-record --wildcard --no-dns-check --method http-01 --method dns-01 --method HTTP-01 domain.com -o lines
    local value="lab.invalid; accounturi=$URL; validationmethods=http-01,dns-01" server
    printf 'domain.com. IN CAA 0 %s "%s"\n' issue "$value" issuewild "$value" | diff - lines
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q --account stranger.json
    DNS_EXTRA=$(cat lines)
    for server in bind knot; do
        "start_$server" "$PWD/$server" domain.com other.example
        sed 's/^domain\.com\. IN CAA //' lines | sort | diff - <(caa_values domain.com)
        judged domain.com | grep -F "domain.com: the CAA records at domain.com allow this account to issue"
        judged --wildcard sub.domain.com | grep -F "sub.domain.com: the CAA records at domain.com allow this account to issue"
        judged --method tls-alpn-01 domain.com | grep -F "do not allow this account to issue: they do not allow the validation method tls-alpn-01"
        judged --account stranger.json domain.com | grep -F "they only allow another account of this CA to issue"
        judged --issuer elsewhere.example domain.com | grep -F "they name lab.invalid"
        acme-preauth caa-record --json --resolver "$DNS_SERVER" --wildcard sub.domain.com -o document.json
        "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/caa-record.json" <document.json
        jq -e --arg value "${value/http-01,/}" '.name == "sub.domain.com" and .records[1] == {"flags": 0, "tag": "issuewild", "value": $value}
            and .present.name == "domain.com" and .present.allowed and (.present.records | length == 2)
            and .caaIdentities == ["lab.invalid", "other.invalid"]' document.json
    done
    named-checkzone -q domain.com bind/domain.com.zone
}

@test "EXT-06: caa-record: no record yet, no answer, and options that are wrong" {
    DNS_EXTRA="low IN CAA 128 tbs \"Unknown\""
    start_bind "$PWD/bind" domain.com
    judged domain.com | grep -F "domain.com: no CAA record yet: any CA may issue"
    judged low.domain.com | grep -F "the property tbs is critical"
    acme-preauth caa-record --json --resolver "$DNS_SERVER" domain.com | jq -e '.present == {"allowed": true, "records": []}'
    run --separate-stderr acme-preauth caa-record --json --resolver "$DNS_SERVER" elsewhere.example
    [ "$status" = 0 ]
    [[ "$stderr" == *REFUSED* && "$stderr" == *--resolver* ]]
    jq -e 'has("present") | not' <<<"$output"
    run acme-preauth caa-record --json --no-dns-check --method "dns 01" domain.com
    [ "$status" = 64 ]
    [[ "$output" == *badMethod* ]]
    run acme-preauth caa-record --json --no-dns-check domain.com other.example
    [ "$status" = 64 ]
    start_ca "$PWD/nameless"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q --account nameless.json
    run acme-preauth caa-record --json --no-dns-check --account nameless.json domain.com
    [ "$status" = 69 ]
    [[ "$output" == *noIssuer* && "$output" == *--issuer* ]]
    acme-preauth caa-record --no-dns-check --account nameless.json --issuer CA.Example domain.com | grep -F '"ca.example; accounturi='
}

@test "EXT-06, CHAL-10b: an account URL with quotes and backslashes is escaped, one that no record can hold is refused" {
    jq '.url += "/\"q\\u"' acct.json >odd.json
    chmod 600 odd.json
    acme-preauth caa-record --no-dns-check --account odd.json --issuer lab.invalid domain.com -o caa
    acme-preauth persist-record --account odd.json --issuer lab.invalid domain.com -o txt
    grep -F "$URL"'/\"q\\u; ' caa
    grep -F "$URL"'/\"q\\u"' txt
    DNS_EXTRA=$(cat caa txt)
    start_bind "$PWD/bind" domain.com
    named-checkzone -q domain.com bind/domain.com.zone
    acme-preauth caa-record --json --account odd.json --issuer lab.invalid --resolver "$DNS_SERVER" domain.com -o document.json
    jq -e '.present.allowed and .present.records == .records' document.json
    [ "$(txt_values _validation-persist.domain.com)" = "$(sed 's/.* IN TXT //' txt)" ]
    local verb
    jq '.url += ";x"' acct.json >bad.json
    for verb in caa-record persist-record; do
        run acme-preauth "$verb" --json --account bad.json --issuer lab.invalid domain.com
        [ "$status" = 65 ]
        [[ "$output" == *badIssueValue* && "$output" == *"has a semicolon"* ]]
    done
}

@test "EXT-06, SEC-08: est-relay check judges the CAA records of its domains" {
    export ACCOUNT=$PWD/acct.json PKI=$PWD/pki
    make_pki "$PKI"
    local round=0
    checked() { # CAA-VALUE WORDS: what is found with that record only
        DNS_EXTRA="@ IN CAA 0 issue \"$1\"" start_knot "$PWD/dns.$((++round))" domain.com
        write_relay_toml "$PKI"
        run est-relay check --config "$PKI/relay.toml" --online --json
        jq -r '.findings[] | .verdict + " " + .subject + ": " + .message' <<<"$output" >findings
        cat findings
        grep -Fx "$2" findings
    }
    local at="domain iot.domain.com: the CAA records at domain.com"
    checked "other.invalid; accounturi=$URL" "ok $at allow this CA"
    checked "elsewhere.example" "fail $at forbid this CA: they name elsewhere.example"
    checked "lab.invalid; accounturi=$URL/9" "fail $at forbid this CA: they only allow another account of this CA to issue"
    checked "lab.invalid; validationmethods=http-01" "fail $at forbid this CA: they do not allow the validation method dns-01"
}
