#!/usr/bin/env bats
# Keys named by URI: account and certificate keys in a TPM.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/tpm

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

fails_with() { # STATUS CODE COMMAND...
    local expected=$1 code=$2
    shift 2
    run "$@"
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
}

@test "SEC-09: account and certificate keys in a TPM sign there: registration, order, renewal, revocation" {
    start_tpm "$PWD/tpm"
    make_tpm_key 0x81000001 ecc
    make_tpm_key 0x81000002 rsa2048 -p pin
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --key handle:0x81000001 -q -o registered.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/account.json" <acct.json
    [ "$(jq -r '.keyUri, has("keyFile")' acct.json | xargs)" = "handle:0x81000001 false" ]
    [ ! -e acct.key ]
    acme-preauth run --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -q -o authz.json domain.com
    # The certificate's key has an authorization value.
    echo pin >pin
    csr-build --key 'handle:0x81000002?pass' --key-passphrase-file pin --dns a.domain.com --json -o csr.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/csr.json" <csr.json
    jq -r .csr csr.json | acme-order run -q -o a.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted a.pem a.pem
    fails_with 78 keyUri csr-build --json --key 'handle:0x81000002?pass' --dns a.domain.com
    # One key for both is refused, whatever it is named by.
    csr-build --key handle:0x81000001 --dns b.domain.com -o b.csr
    run acme-order run --json -o b.pem <b.csr
    [ "$status" = 65 ]
    [[ "$output" == *accountKeyInCsr* ]]
    make_tpm_key 0x81000003 ecc
    acme-order renew -q --key handle:0x81000003 --dns c.domain.com -o c.pem
    openssl x509 -in c.pem -noout -checkend 0
    # TLS client authentication: a server that insists on it answers, with a page that is no EST.
    local port
    port=$(free_port)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -out s.pem -subj "/CN=s" \
        -addext "subjectAltName=IP:127.0.0.1" -days 2 2>/dev/null
    openssl s_server -accept "127.0.0.1:$port" -cert s.pem -key s.key -www -Verify 2 -CAfile "$CA_ROOT" -verify_return_error \
        >s.log 2>&1 3>&- &
    STARTED+=($!)
    wait_for 10 grep -q ACCEPT s.log
    fails_with 76 notCertsOnly est-enroll cacerts --json --server "https://127.0.0.1:$port" --explicit-ta s.pem --cert c.pem \
        --key handle:0x81000003
    acme-order revoke -q --reason superseded -o revoked.json <c.pem
    fails_with 64 keyUri acme-account rollover --json
}

@test "a key's URI that does not load: the provider that is missing, no such key, no TPM" {
    fails_with 78 keyUri csr-build --json --key 'pkcs11:token=t;object=k' --dns a.example
    [[ "$output" == *"Debian 12 has none"* ]]
    fails_with 78 keyUri csr-build --json --key zebra:k --dns a.example
    [[ "$output" == *'a store for \"zebra:\"'* ]]
    fails_with 78 keyUri csr-build --json --key "file:$PWD/k" --dns a.example
    TPM2OPENSSL_TCTI="swtpm:path=$PWD/nowhere" fails_with 78 keyUri csr-build --json --key handle:0x81000001 --dns a.example
    [[ "$output" == *tpm2-openssl* ]]
    csr-build --new-key ec:P-256 --key-out a:b.key --dns a.example -o a.csr
    csr-build --key ./a:b.key --dns a.example -o a.csr
    # An account file does not name one as the other.
    (umask 077 && echo '{"type": "account", "version": 1, "directory": "https://ca.example/d", "url": "https://ca.example/a",
        "keyFile": "handle:0x81000001", "contact": []}' >acct.json)
    fails_with 78 badAccountFile acme-account show --json
}
