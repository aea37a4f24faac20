#!/usr/bin/env bats
# dns-persist-01: a record that stands for long, and no DNS credential at run time.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --issuer-domain lab.invalid --issuer-domain other.invalid
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
}

teardown() {
    stop_all
}

publish() { # LINE of a zone file
    # shellcheck disable=SC2001
    knsupdate -k "$TSIG_KEY" <<EOT
server 127.0.0.1 ${DNS_SERVER##*:}
zone domain.com
add $(sed 's/ IN TXT/ 60 IN TXT/' <<<"$1")
send
EOT
}

@test "CHAL-10: acme-preauth persist-record prints the record; with it preauth, orders and a renewal need no DNS credential" {
    acme-preauth persist-record --subdomains domain.com -o record
    grep -E '^_validation-persist\.domain\.com\. IN TXT "lab\.invalid; accounturi=https://.*; policy=wildcard"$' record
    acme-preauth persist-record --subdomains --json domain.com | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/persistent-record.json"
    run acme-preauth run --json --subdomains --dns-persist --resolver "$DNS_SERVER" domain.com
    [ "$status" = 79 ]
    [[ "$output" == *noPersistentRecord* && "$output" == *"publish it once: _validation-persist.domain.com."* ]]
    publish "$(cat record)"
    acme-preauth run --subdomains --dns-persist --resolver "$DNS_SERVER" -o authz.json domain.com
    jq -e '.status == "valid" and .subdomainAuthAllowed' authz.json
    csr-build --new-key ec:P-256 --key-out k --dns sub.domain.com | acme-order run -o sub.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted sub.pem sub.pem
    csr-build --new-key ec:P-256 --key-out w --allow-wildcard --dns '*.domain.com' |
        acme-order run --dns-persist --resolver "$DNS_SERVER" -o w.pem
    [ -n "$(txt_values _validation-persist.domain.com)" ]
}

@test "CHAL-10: dns-persist-01 step by step; the document is checked" {
    publish "$(acme-preauth persist-record --issuer other.invalid domain.com)"
    acme-preauth new --dns-persist domain.com -o 1.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/authorization.json" <1.json
    jq -e '.challenge.type == "dns-persist-01" and (.challenge | has("token") | not)' 1.json
    acme-preauth publish --dns-persist --resolver "$DNS_SERVER" -o 2.json <1.json
    acme-preauth respond -o 3.json <2.json
    acme-preauth cleanup --dns-persist -o 4.json <3.json
    jq -e '.status == "valid"' 4.json
    jq '.record.name = "_validation-persist.other.com"' 1.json >bad.json
    run acme-preauth publish --dns-persist --json <bad.json
    [ "$status" = 65 ]
    [[ "$output" == *badRecord* ]]
}

@test "CHAL-10: a record of another account, without the policy, or over, is seen before the CA is asked" {
    local account
    account=$(jq -r .url acct.json)
    try() { # TEXT WHY: with that record only
        knsupdate -k "$TSIG_KEY" <<<"server 127.0.0.1 ${DNS_SERVER##*:}
zone domain.com
del _validation-persist.domain.com TXT
send"
        publish "_validation-persist.domain.com. IN TXT \"$1\""
        run acme-preauth run --json --subdomains --dns-persist --resolver "$DNS_SERVER" domain.com
        [ "$status" = 79 ]
        [[ "$output" == *"$2"* ]]
    }
    try "stranger.invalid; accounturi=$account; policy=wildcard" "none of the records found is for this CA"
    try "lab.invalid; accounturi=$account/9; policy=wildcard" "does not name the account"
    try "lab.invalid; accounturi=$account" "lacks policy=wildcard"
    [ "$(requests challenge)" = 0 ]
    # One that holds beside them is enough; an order of just the name needs no policy.
    publish "$(acme-preauth persist-record --issuer lab.invalid --until 2099-01-01T00:00:00Z --subdomains domain.com)"
    acme-preauth run --subdomains --dns-persist --resolver "$DNS_SERVER" -o authz.json domain.com
    run acme-preauth persist-record --json --issuer lab.invalid --until soon domain.com
    [ "$status" = 64 ]
    [[ "$output" == *badTime* && "$output" == *--until* ]]
}
