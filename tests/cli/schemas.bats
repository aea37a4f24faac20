#!/usr/bin/env bats
# The documents that programs print are what docs/schema says.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

valid() { # TYPE FILE
    [ -s "$2" ]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/$1.json" <"$2"
}

@test "schemas: each document that acmetool-json(7) lists has one, and the other way round" {
    diff <(sed -n 's/^\.It //p' "$ROOT/man/acmetool-json.7" | sort) \
        <(basename -a -s .json "$ROOT"/docs/schema/*.json | sort)
    diff <(jq -r '.properties.type.const // "trace"' "$ROOT"/docs/schema/*.json | sort) \
        <(basename -a -s .json "$ROOT"/docs/schema/*.json | sort)
}

@test "schemas: a document with a wrong, a missing or an unknown member is none" {
    echo '{"type": "deferred", "version": 1, "retryAfter": 5, "retryAt": "2031-02-03T04:05:06Z"}' >good
    valid deferred good
    local edit
    for edit in '.retryAfter = "5"' '.retryAt = "soon"' 'del(.retryAt)' '.more = 1' '.version = 2' '.type = "order"'; do
        jq -c "$edit" good >bad
        run valid deferred bad
        [ "$status" = 1 ]
    done
}

@test "schemas, EXT-01: what the programs print along a whole flow" {
    start_knot "$PWD/dns" domain.com other.example
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    valid ready ca.ready
    acme-account register --json --trace trace.jsonl --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" \
        --contact mailto:ops@domain.com --account account.json >registered.json
    valid account registered.json
    valid account account.json
    export ACMETOOL_ACCOUNT=account.json ACMETOOL_TRACE=$PWD/trace.jsonl
    export ACMETOOL_DNS_UPDATE=$DNS_SERVER ACMETOOL_TSIG_KEY=$TSIG_KEY
    acme-preauth new --subdomains domain.com -o 1.json
    valid authorization 1.json
    acme-preauth publish -o 2.json <1.json
    valid authorization 2.json
    acme-preauth respond -o 3.json <2.json
    valid authorization 3.json
    acme-preauth cleanup -o 4.json <3.json
    valid authorization 4.json
    acme-preauth run --subdomains domain.com other.example -o several.json
    valid authorizations several.json
    acme-preauth renew --subdomains domain.com -o renewal.json
    valid renewal renewal.json

    csr-build --new-key ec:P-256 --key-out sub.key --dns sub.domain.com --json -o csr.json
    valid csr csr.json
    jq -r .csr csr.json >sub.csr
    acme-order new -o o1.json <sub.csr
    valid order o1.json
    set_fault processing=1
    set_fault retryAfter=999999999999
    run bash -c 'acme-order finalize --timeout 1s --json <o1.json >deferred.json'
    [ "$status" = 75 ]
    valid deferred deferred.json
    set_fault processing=off
    set_fault retryAfter=off
    csr-build --key sub.key --dns b.domain.com | acme-order run --json -o certificate.json
    valid certificate certificate.json
    # The same by openssl.
    [ "$(jq -r '.certID | split(".")[0]' certificate.json)" = "$(jq -r .certificate certificate.json |
        openssl x509 -noout -ext authorityKeyIdentifier | tail -n 1 | tr -d ' :' |
        basenc --base16 -d | basenc --base64url -w 0 | tr -d =)" ]
    jq -r .certificate certificate.json | acme-order revoke --reason superseded --json -o revocation.json
    valid revocation revocation.json
    acme-ca list --dir ca >certificates.json
    valid certificates certificates.json
    run bash -c 'echo junk | acme-order run --json >error.json'
    [ "$status" = 65 ]
    valid error error.json
    set_fault rateLimited=9
    run bash -c 'csr-build --key sub.key --dns c.domain.com | acme-order run --json >problem.json'
    [ "$status" = 80 ]
    valid error problem.json
    jq -e .problem problem.json
    valid trace trace.jsonl
}
