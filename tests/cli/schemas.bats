#!/usr/bin/env bats
# The documents that programs print are what docs/schema says.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/est
load ../lib/relay

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

@test "schemas, EXT-01a: what the programs print along a whole flow" {
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
    csr-build --new-key ec:P-256 --key-out live.key --dns live.domain.com -o live.csr
    acme-order renew --json --csr live.csr -o live.pem >renewed.json
    valid renewal renewed.json

    csr-build --new-key ec:P-256 --key-out sub.key --dns sub.domain.com --json -o csr.json
    valid csr csr.json
    jq -r .csr csr.json >sub.csr
    acme-order new -o o1.json <sub.csr
    valid order o1.json
    set_fault processing=60
    set_fault retryAfter=999999999999
    run bash -c 'acme-order finalize --timeout 30s --json <o1.json >deferred.json'
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
    (umask 077 && acme-ca eab --dir ca -o eab-key.json)
    valid eab-key eab-key.json
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

@test "schemas: what est-enroll and csr-build print with an EST server" {
    est_world
    csr-build --new-key ec:P-256 --key-out dev.key --dns dev.example.org -o dev.csr
    start_est "$PWD/est" tls
    # an RFC 9908 template: subject with an open serialNumber, P-256, an open SAN; beside it an unknown OID
    cat >attrs.cnf <<'EOF'
asn1 = SEQUENCE:attrs
[attrs]
unknown = OID:1.2.3.4
template = SEQUENCE:attribute
[attribute]
oid = OID:1.2.840.113549.1.9.16.2.61
values = SET:values
[values]
info = SEQUENCE:info
[info]
version = INTEGER:0
subject = SEQUENCE:subject
key = IMPLICIT:0,SEQUENCE:key
attributes = IMPLICIT:1,SET:attributes
[subject]
rdn = SET:rdn
[rdn]
name = SEQUENCE:name
[name]
oid = OID:2.5.4.5
[key]
algorithm = SEQUENCE:algorithm
[algorithm]
oid = OID:1.2.840.10045.2.1
curve = OID:1.2.840.10045.3.1.7
[attributes]
extensions = SEQUENCE:extensionAttribute
[extensionAttribute]
oid = OID:1.2.840.113549.1.9.16.2.62
values = SET:extensionValues
[extensionValues]
list = SEQUENCE:extensionList
[extensionList]
san = SEQUENCE:san
usage = SEQUENCE:usage
[san]
oid = OID:2.5.29.17
[usage]
oid = OID:2.5.29.15
critical = BOOLEAN:TRUE
value = FORMAT:HEX,OCTETSTRING:03020780
EOF
    openssl asn1parse -genconf attrs.cnf -noout -out attrs.der
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"base64\": \"$PWD/attrs.der\"}],
        \"simpleenroll\": [{\"status\": 202, \"headers\": {\"Retry-After\": \"5\"}}, {\"sign\": true}],
        \"simplereenroll\": [{\"sign\": true}]}"
    local options=(--server "$EST_URL" --explicit-ta ca.pem --json --trace trace.jsonl)
    est-enroll cacerts "${options[@]}" -o cacerts.json
    valid cacerts cacerts.json
    est-enroll csrattrs "${options[@]}" -o csrattrs.json
    valid csrattrs csrattrs.json
    jq -e '.template and .keyType == "ec:P-256" and (.extensions | length == 2)' csrattrs.json
    run bash -c 'est-enroll simpleenroll "$@" --cert idevid.pem --key idevid.key <dev.csr >deferred.json' - "${options[@]}"
    [ "$status" = 75 ]
    valid deferred deferred.json
    est-enroll simpleenroll "${options[@]}" --cert idevid.pem --key idevid.key -o certificate.json <dev.csr
    valid certificate certificate.json
    issue live /CN=live.example.org foreign subjectAltName=DNS:live.example.org extendedKeyUsage=clientAuth
    est-enroll renew "${options[@]}" --cert live.pem --key live.key >renewal.json
    valid renewal renewal.json
    rules "{\"cacerts\": [{\"base64\": \"$PWD/cacerts.p7\"}], \"csrattrs\": [{\"status\": 204}], \"simplereenroll\": [{\"sign\": true}]}"
    est-enroll renew "${options[@]}" --cert live.pem --key live.key --before 4000d -o changed.json
    valid certificate changed.json
    jq -e .changed changed.json
    jq 'del(.renewAt)' renewal.json >half.json
    run valid renewal half.json
    [ "$status" = 1 ]
    rules '{"simpleenroll": [{"status": 403, "body": "no"}]}'
    run bash -c 'est-enroll simpleenroll "$@" --cert idevid.pem --key idevid.key <dev.csr >error.json' - "${options[@]}"
    [ "$status" = 77 ]
    valid error error.json
    valid trace trace.jsonl
    csr-build --csrattrs attrs.der --new-key ec:P-256 --key-out auto.key --dns dev.example.org --json >csr.json
    valid csr csr.json
    jq -e '.unfilled | length > 0' csr.json
}

@test "schemas: what est-relay prints" {
    PKI=$PWD/pki
    make_pki "$PKI"
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    ACCOUNT=$PWD/acct.json
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --account "$ACCOUNT" -q -o account.json
    write_relay_toml "$PKI" 'wait = "1m"'
    est-relay check --config "$PKI/relay.toml" --online --json >check.json
    valid check check.json
    start_relay "$PKI"
    valid ready "$PKI/ready"
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    make_csr www.example.com foreign.csr
    enrol device0001 simpleenroll foreign.csr
    est-relay status --config "$PKI/relay.toml" --json >status.json
    valid relay-status status.json
    jq -e --arg a "$(jq -r .directory acct.json)" '.issuer.lastSuccess and .issuer.directory == $a
        and .issuer.authorizations["iot.domain.com"].status == "valid"' status.json
}
