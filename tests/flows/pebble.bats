#!/usr/bin/env bats
# Debian's Pebble: another implementation of the server side.

load ../lib/common
load ../lib/pebble

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

begin() { # ENV=VALUE...
    start_pebble "$PWD/pebble" PEBBLE_AUTHZREUSE=100 "$@"
    cat >hook <<EOF
#!/bin/sh
case "\$1" in
begin) curl -sf -d "{\"host\":\"\$ACMETOOL_FQDN.\",\"value\":\"\$5\"}" $PEBBLE_CHALLTEST/set-txt ;;
*) curl -sf -d "{\"host\":\"\$ACMETOOL_FQDN.\"}" $PEBBLE_CHALLTEST/clear-txt ;;
esac
EOF
    chmod +x hook
}

# Ten accounts, each with an order that is challenged, then one that is ready at once.
ten_runs() {
    local i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        acme-account register -q --account "a$i.json" --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos \
            --contact mailto:ops@example.org -o account.json
        csr-build --new-key ec:P-256 --key-out "k$i" --dns "h$i.example.org" -o c.csr
        acme-order run -q --account "a$i.json" --hook ./hook --no-dns-check -o "c$i.pem" <c.csr
        openssl x509 -in "c$i.pem" -noout -ext subjectAltName | grep -F "h$i.example.org"
        acme-order run -q --account "a$i.json" --json -o again.json <c.csr
        jq -e '.type == "certificate"' again.json
    done
}

@test "ACME-03..09, ACME-16, ACME-20, ACME-27, ACME-33: ten accounts, twenty certificates, default nonce rejection" {
    begin
    ten_runs
}

@test "FAULT-01: the same with every second nonce rejected" {
    begin PEBBLE_WFE_NONCEREJECT=50
    ten_runs
}

@test "FAULT-03, FAULT-04: an order on a valid authorization takes four requests and no solver" {
    begin PEBBLE_WFE_NONCEREJECT=0
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json
    csr-build --new-key ec:P-256 --key-out k --dns h.example.org -o c.csr
    acme-order run -q --hook ./hook --no-dns-check -o c.pem <c.csr
    acme-order run -q --trace t.jsonl -o c.pem <c.csr
    [ "$(jq -r 'select(.from == "client") | .label' t.jsonl | grep -c .)" -le 4 ]
    [ "$(jq -r .label t.jsonl | grep -c authz)" = 0 ]
}

@test "PRE-01: Pebble has no newAuthz" {
    begin
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json
    run acme-preauth new --json example.org
    [ "$status" = 69 ]
    [[ "$output" == *newAuthzUnsupported* ]]
}

@test "ACME-15: terms of service are agreed to by the operator only; ACME-16: the account is found again" {
    begin
    run acme-account register --json --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA"
    [ "$status" = 77 ]
    [[ "$output" == *termsOfService* ]]
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o one.json
    acme-account register -q --agree-tos --ca-file "$PEBBLE_CA" -o two.json
    [ "$(jq -r .url one.json)" = "$(jq -r .url two.json)" ]
    acme-account update -q --contact mailto:new@example.org -o three.json
    [ "$(jq -r '.contact[0]' three.json)" = mailto:new@example.org ]
    acme-account deactivate -q -o four.json
    [ "$(jq -r .status four.json)" = deactivated ]
    run acme-account show --json
    [ "$status" = 77 ]
}
