#!/usr/bin/env bats
# dns-persist-01: a record that stands for long, and no DNS credential at run time.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --issuer-domain lab.invalid --issuer-domain other.invalid \
        --dns-persist url
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

@test "CHAL-10b: acme-preauth persist-record prints the record; with it preauth, orders and a renewal need no DNS credential" {
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

@test "CHAL-10b: dns-persist-01 step by step; the document is checked" {
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

@test "CHAL-10b: a record of another account, without the policy, or over, is seen before the CA is asked" {
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

@test "FLD-A15: acme-ca offers dns-persist-01 only with --dns-persist, which needs an issuer name" {
    run acme-preauth new --json --dns-persist domain.com
    [ "$status" = 0 ]
    start_ca "$PWD/plain" --dns-server "$DNS_SERVER" --issuer-domain lab.invalid
    curl -sf --cacert "$CA_FILE" "$CA_DIRECTORY" | jq -e '.meta.caaIdentities == ["lab.invalid"]'
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q --account plain.json -o account.json
    run acme-preauth new --json --account plain.json --dns-persist domain.com
    echo "$output"
    [ "$status" = 79 ]
    [[ "$output" == *noUsableChallenge* && "$output" == *"offers dns-01"* && "$output" != *dns-persist-01* ]]
    local mode
    for mode in url hash both maybe; do
        run acme-ca serve --dir other --dns-persist "$mode"
        [ "$status" = 64 ]
    done
}

@test "FLD-A16, CHAL-13a: a CA with hashed account URIs: the record, its names and its end; one for any domain; a new key" {
    start_ca "$PWD/hash" --dns-server "$DNS_SERVER" --issuer-domain lab.invalid --dns-persist hash
    rm -r acct.* account.json
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    curl -sf --cacert "$CA_FILE" "$CA_DIRECTORY" | jq -e '.meta.issuerDomainNames == ["lab.invalid"]'
    local prefix account thumbprint
    prefix=$(curl -sf --cacert "$CA_FILE" "$CA_DIRECTORY" | jq -r .meta.accountHashPrefix)
    account=$(jq -r .url acct.json)
    # A record with the account's URL is that of older drafts.
    publish "_validation-persist.domain.com. IN TXT \"lab.invalid; accounturi=$account\""
    run acme-preauth run --json --dns-persist --resolver "$DNS_SERVER" domain.com
    [ "$status" = 79 ]
    run acme-preauth run --json --dns-persist --no-dns-check domain.com
    [ "$status" = 77 ]
    [[ "$output" == *"does not name the account"* ]]
    # Its names come from the directory: nothing is requested for the record.
    local before
    before=$(requests newAuthz)
    acme-preauth persist-record --until 1h domain.com -o record
    [ "$(requests newAuthz)" = "$before" ]
    grep -F "\"lab.invalid; accounturi=${prefix}sha-256/" record
    publish "$(cat record)"
    acme-preauth run --dns-persist --resolver "$DNS_SERVER" -o authz.json domain.com
    # The authorization does not outlast the record.
    [ "$(date -d "$(jq -r .expires authz.json)" +%s)" -le "$(($(date +%s) + 3600))" ]
    # The record of the key before is still good for the same name, but for no other.
    acme-account rollover -q -o account.json
    acme-preauth deactivate -q -o gone.json <authz.json
    acme-preauth run --dns-persist --no-dns-check -o authz.json domain.com
    jq -e '.status == "valid"' authz.json
    publish "$(sed 's/^_validation-persist\.domain/_validation-persist.sub.domain/' record)"
    run acme-preauth run --json --dns-persist --no-dns-check sub.domain.com
    [ "$status" = 77 ]
    # A record for any domain names none.
    thumbprint=$(openssl pkey -in acct.key -pubout -outform DER | tail -c 65 | python3 -c '
import base64, hashlib, sys
def text(octets):
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
point = sys.stdin.buffer.read()
jwk = "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}" % (text(point[1:33]), text(point[33:]))
print(text(hashlib.sha256(jwk.encode()).digest()))')
    local digest
    digest=$(printf '\001*%s%s' "$thumbprint" "$account" | openssl dgst -sha256 -binary | basenc --base64url | tr -d =)
    publish "_validation-persist.any.domain.com. IN TXT \"lab.invalid; accounturi=${prefix}sha-256/$digest\""
    acme-preauth run --dns-persist --resolver "$DNS_SERVER" -o any.json any.domain.com
    jq -e '.status == "valid"' any.json
    # Malformed is another error than not permitted.
    publish "_validation-persist.bad.domain.com. IN TXT \"lab.invalid; accounturi=$account; persistUntil=never\""
    run acme-preauth run --json --dns-persist --no-dns-check bad.domain.com
    echo "$output"
    [ "$status" = 77 ]
    [[ "$output" == *"dns-persist-01: malformed"* ]]
}

@test "FLD-A16: a CA with the members of all drafts takes both records; its challenges are read in either spelling" {
    start_ca "$PWD/both" --dns-server "$DNS_SERVER" --issuer-domain lab.invalid --dns-persist both
    rm -r acct.* account.json
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    publish "_validation-persist.domain.com. IN TXT \"lab.invalid; accounturi=$(jq -r .url acct.json)\""
    acme-preauth run --dns-persist --resolver "$DNS_SERVER" -o authz.json domain.com
    publish "$(acme-preauth persist-record sub.domain.com)"
    acme-preauth run --dns-persist --resolver "$DNS_SERVER" -o authz.json sub.domain.com
}
