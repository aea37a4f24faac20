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

# Ten accounts, each with an order that is challenged, then one that is ready at once; both certificates are revoked.
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
        acme-order revoke --account "a$i.json" --reason superseded <"c$i.pem"
        jq -r .fullchain again.json >again.pem
        acme-order revoke --account "a$i.json" --cert-key "k$i" --reason keyCompromise --json -o revoked.json <again.pem
        jq -e '.type == "revocation" and .reason == 1' revoked.json
    done
}

@test "ACME-20c, ACME-33a, ACME-37a: ten accounts, twenty certificates, all revoked, default nonce rejection" {
    begin
    ten_runs
}

@test "FAULT-01, ACME-09: the same with every second nonce rejected" {
    begin PEBBLE_WFE_NONCEREJECT=50
    ten_runs
}

# behind_counter: PEBBLE_DIRECTORY leads through a proxy that counts connections.
behind_counter() {
    local port=${PEBBLE_DIRECTORY#https://127.0.0.1:}
    python3 "$ROOT/tests/lib/count_connections.py" "${port%/dir}" "$PWD/connections" >proxy.port &
    STARTED+=($!)
    wait_for 10 grep -q . proxy.port
    PEBBLE_DIRECTORY="https://127.0.0.1:$(cat proxy.port)/dir"
}

# counts COMMAND...: runs it with a trace; REQUESTS says what it sent, CONNECTIONS how many connections it made. Polls in a
# row count once, and none is as good: Pebble issues beside its answer.
counts() {
    rm -f t.jsonl connections
    "$@" --trace t.jsonl
    REQUESTS=$(jq -r 'select(.from == "client" and .to == "acme") | .label | sub("POST "; "") | sub(".*/"; "")' t.jsonl | uniq | xargs)
    REQUESTS=${REQUESTS/finalize order/finalize}
    CONNECTIONS=$(grep -c . connections)
    echo "$REQUESTS; $CONNECTIONS"
}

@test "FAULT-03, FAULT-04, ACME-10b: an order on a valid authorization: four requests, cold six, no solver, one connection" {
    begin PEBBLE_WFE_NONCEREJECT=0
    behind_counter
    counts acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json
    [ "$REQUESTS; $CONNECTIONS" = "directory newNonce newAccount; 1" ]
    csr-build --new-key ec:P-256 --key-out k --dns h.example.org -o c.csr
    counts acme-order run -q --hook ./hook --no-dns-check -o c.pem <c.csr
    [ "$CONNECTIONS" = 1 ]
    counts acme-order run -q -o c.pem <c.csr
    [ "$REQUESTS; $CONNECTIONS" = "newOrder finalize certificate; 1" ]
    counts acme-order run -q --state cold -o c.pem <c.csr
    [ "$REQUESTS; $CONNECTIONS" = "directory newNonce newOrder finalize certificate; 1" ]
    counts acme-order revoke -q <c.pem
    [ "$REQUESTS; $CONNECTIONS" = "revokeCert; 1" ]
}

@test "ACME-37a: Pebble's answers to a second revocation, to a stranger and to a reason that it does not take" {
    begin PEBBLE_WFE_NONCEREJECT=0
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json
    acme-account register -q --account other.json --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json
    csr-build --new-key ec:P-256 --key-out k --dns h.example.org -o c.csr
    acme-order run -q --hook ./hook --no-dns-check -o c.pem <c.csr
    run acme-order revoke --json --account other.json <c.pem
    echo "$output"
    [ "$status" = 77 ]
    [[ "$output" == *'"code": "unauthorized"'* ]]
    acme-order revoke <c.pem
    run acme-order revoke --json <c.pem
    echo "$output"
    [ "$status" = 77 ]
    [[ "$output" == *'"code": "alreadyRevoked"'* ]]
}

@test "PRE-01b: Pebble has no newAuthz" {
    begin
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o account.json
    run acme-preauth new --json example.org
    [ "$status" = 69 ]
    [[ "$output" == *newAuthzUnsupported* ]]
}

@test "ACME-15a, ACME-16a, ACME-16b: terms are agreed to by the operator only; the account is made (201), and found (200)" {
    begin
    run acme-account register --json --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA"
    [ "$status" = 77 ]
    [[ "$output" == *termsOfService* ]]
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o one.json
    acme-account register -q --agree-tos --ca-file "$PEBBLE_CA" -o two.json
    [ "$(jq -r .url one.json)" = "$(jq -r .url two.json)" ]
    [ "$(jq -r .url acct.json)" = "$(jq -r .url one.json)" ]
    [ "$(jq -s 'map(.created)' one.json two.json | jq -c .)" = "[true,false]" ]
}

@test "ACME-19b: the account is changed, and ended" {
    begin
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos -o one.json
    acme-account update -q --contact mailto:new@example.org -o three.json
    [ "$(jq -r '.contact[0]' three.json)" = mailto:new@example.org ]
    acme-account deactivate -q -o four.json
    [ "$(jq -r .status four.json)" = deactivated ]
    run acme-account show --json
    [ "$status" = 77 ]
}
