#!/usr/bin/env bats
# The registration authority's built-in issuer against acme-ca and a real DNS server.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o document.json
    export CA_LOG RA_ACCOUNT="$PWD/acct.json" RA_ROOT="$CA_ROOT" RA_DNS="$DNS_SERVER" RA_TSIG="$TSIG_KEY"
    export PIDS="${STARTED[*]}"
}

teardown_file() {
    read -ra STARTED <<<"$PIDS"
    stop_all
}

finalized() { # how often any order was finalized well
    grep '"resource":"finalize"' "$CA_LOG" | grep -c '"status":200'
}

@test "INT-26b: twenty devices at once on one pre-authorization" {
    RA_PREFIX=a timeout 600 unit-tests -tc='*many devices through the built-in issuer*'
    [ "$(finalized)" = 20 ]
    [ "$(requests newAuthz)" = 1 ]
}

@test "INT-12b, ACME-42c: the relay is restarted with an order under way" {
    before=$(finalized || true)
    RA_PREFIX=b timeout 600 unit-tests -tc='*a restart in the middle*'
    [ "$(finalized)" = $((before + 1)) ]
}

@test "INT-26b: without pre-authorization the orders are authorized one by one" {
    acme-account register --account "$BATS_TEST_TMPDIR/acct.json" --directory "$(jq -r .directory "$RA_ACCOUNT")" \
        --ca-file "$BATS_FILE_TMPDIR/ca/tls-ca.pem" -q -o document.json
    RA_ACCOUNT="$BATS_TEST_TMPDIR/acct.json" RA_PREAUTHORIZE=no RA_PREFIX=c timeout 600 \
        unit-tests -tc='*many devices through the built-in issuer*'
}

@test "ACME-11a: half of all nonces refused" {
    set_fault badNonce=50
    RA_PREFIX=d timeout 600 unit-tests -tc='*many devices through the built-in issuer*'
    set_fault badNonce=off
}
