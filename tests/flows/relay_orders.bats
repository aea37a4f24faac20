#!/usr/bin/env bats
# What est-relay does with orders when authorizations lapse, URLs are lost and bindings are demanded.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
}

teardown() {
    stop_all
}

relay() { # LINE...: of [est]
    write_relay_toml "$PKI" "$@"
    start_relay "$PKI"
}

placed() { # orders
    grep '"resource":"newOrder"' "$CA_LOG" | grep -c '"status":201'
}

gets_it_from_one_order() { # SECONDS: asks until the certificate is there
    for _ in $(seq "$1"); do
        enrol device0001 simpleenroll dev.csr 2>/dev/null
        [[ $STATUS != 200 ]] || break
        sleep 1
    done
    [ "$STATUS" = 200 ]
    [ "$(placed)" = 1 ]
    [ "$(finalized)" = 1 ]
}

finalized() { # orders
    grep '"resource":"finalize"' "$CA_LOG" | grep -c '"status":200'
}

@test "PRE-18a: an authorization that lapsed while the relay runs is renewed by it, and the device gets its certificate" {
    relay
    make_csr device0001.iot.domain.com first.csr
    enrol device0001 simpleenroll first.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newAuthz)" = 1 ]
    acme-preauth run --account "$ACCOUNT" --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" \
        -o authz.json iot.domain.com
    acme-preauth deactivate --account "$ACCOUNT" <authz.json >/dev/null
    make_csr device0001.iot.domain.com second.csr
    enrol device0001 simpleenroll second.csr
    [ "$STATUS" = 200 ]
    [ "$(finalized)" = 2 ]
    [ -z "$(txt_values _acme-challenge.iot.domain.com)" ]
    [ -z "$(txt_values _acme-challenge.device0001.iot.domain.com)" ]
}

@test "ESTS-22: log and trace of an enrolment bear one request id, from EST over ACME to DNS" {
    RELAY_TRACE=$PWD/trace.jsonl RELAY_DOMAIN_LINES='preauthorize = false' relay
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    local id
    id=$(jq -r 'select(.event == "order") | .request_id' "$PKI/relay.log" | sort -u)
    [[ "$id" =~ ^[0-9a-f]{16}$ ]]
    arrows() { jq -r --arg id "$id" "select(.request_id == \$id) | $1" trace.jsonl; }
    [ "$(arrows 'select(.from == "client") | .label')" = "POST /simpleenroll" ]
    [ "$(arrows 'select(.from == "ra" and .to == "acme") | .label' | grep -v newNonce | uniq | head -n 1)" = "POST /newOrder" ]
    arrows 'select(.from == "ra" and .to == "acme") | .label' | grep -qx 'POST /finalize'
    arrows 'select(.from == "acme") | .status' | grep -qx 201
    arrows 'select(.to == "dns") | .label' | grep -qx 'Publish DNS TXT'
    arrows 'select(.to == "dns") | .label' | grep -qx 'Delete DNS TXT'
    [ "$(jq -r 'select(.event == "decision") | .request_id' "$PKI/relay.log" | tail -n 1)" = \
        "$(jq -r 'select(.to == "client") | .request_id' trace.jsonl | tail -n 1)" ]
    [ "$(stat -c %a trace.jsonl)" = 600 ]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/trace.json" <trace.jsonl
    acme-trace show --request-id "$id" trace.jsonl | grep -E 'Client .* RA .* ACME .* DNS'
    run acme-trace show --request-id 0123456789abcdef trace.jsonl
    [ "$status" = 65 ]
}

@test "ACME-42b, ACME-42c, INT-12b: the relay is killed before it knows the order's URL: the order is found again and finalized once" {
    relay 'wait = "200ms"' 'retry_after = "1s"'
    make_csr device0001.iot.domain.com dev.csr
    set_fault resetAfter=newOrder
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [[ $STATUS == 202 || $STATUS == 503 ]]
    wait_for 20 grep -q '"resource":"newOrder"' "$CA_LOG"
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" || true
    set_fault resetAfter=off
    start_relay "$PKI"
    for _ in $(seq 60); do # a failure of before is remembered for a while
        enrol device0001 simpleenroll dev.csr 2>/dev/null
        [[ $STATUS == 503 ]] || break
        sleep 1
    done
    [ "$STATUS" = 200 ]
    [ "$(placed)" = 1 ]
    [ "$(finalized)" = 1 ]
}

@test "ACME-41, ACME-42c: orders that are processing are not found for a while: each is finalized once" {
    relay 'wait = "200ms"' 'retry_after = "1s"'
    make_csr device0001.iot.domain.com dev.csr
    set_fault processing=2
    set_fault notFound=order:2
    for _ in $(seq 60); do
        enrol device0001 simpleenroll dev.csr 2>/dev/null
        [[ $STATUS == 503 || $STATUS == 202 ]] || break
        sleep 1
    done
    [ "$STATUS" = 200 ]
    [ "$(placed)" = 1 ]
    [ "$(finalized)" = 1 ]
}

@test "ACME-41, ACME-42c: after finalize the relay is killed, and the order is not found for a while: it is finalized once" {
    relay 'wait = "200ms"' 'retry_after = "1s"'
    make_csr device0001.iot.domain.com dev.csr
    set_fault processing=5
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 202 ]
    wait_for 20 grep -q '"resource":"finalize"' "$CA_LOG"
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" || true
    set_fault processing=off
    set_fault notFound=order:3
    start_relay "$PKI"
    gets_it_from_one_order 90
}

@test "ACME-40, ACME-42c: while the account is refused, the relay keeps its order" {
    relay 'wait = "200ms"' 'retry_after = "1s"' 'remember_failure = "1s"'
    make_csr device0001.iot.domain.com dev.csr
    set_fault processing=2
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 202 ]
    wait_for 20 grep -q '"resource":"finalize"' "$CA_LOG"
    set_fault account=deactivated
    wait_for 20 grep -q '"event":"order".*the account is deactivated' "$PKI/relay.log"
    set_fault account=off
    gets_it_from_one_order 60
}

@test "ESTS-09a, ESTS-09b, ESTS-08b: with pop = required each TLS version has its binding, and without one there is no certificate" {
    relay 'pop = "required"'
    local server=(--server "${RELAY%/.well-known/est}" --explicit-ta "$PKI/tls-root.pem"
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key")
    csr-build --new-key ec:P-256 --key-out dev.key --dns device0001.iot.domain.com -o dev.csr
    run est-enroll simpleenroll "${server[@]}" --json <dev.csr
    [ "$status" = 77 ]
    [[ "$output" == *"channel binding"* ]]
    local version
    for version in 1.2 1.3; do
        est-enroll run "${server[@]}" --tls-max "$version" --new-key ec:P-256 --key-out "$version.key" \
            --trace "$version.trace" --timeout 60s -o "$version.pem"
        openssl x509 -in "$version.pem" -noout -ext subjectAltName | grep -F device0001.iot.domain.com
    done
    # What was bound to another connection binds nothing here.
    csr-build --key dev.key --dns device0001.iot.domain.com --challenge-password-file <(head -c 32 /dev/zero | base64) -o other.csr
    run est-enroll simpleenroll "${server[@]}" --json <other.csr
    [ "$status" = 77 ]
    [ "$(requests newOrder)" = 2 ]
}

@test "OPR-49, ESTS-09a: a device that knows tls-unique alone is told what TLS 1.3 has, and served where TLS 1.2 is the highest" {
    relay 'pop = "required"'
    local server=(--server "${RELAY%/.well-known/est}" --explicit-ta "$PKI/tls-root.pem"
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key")
    csr-build --new-key ec:P-256 --key-out dev.key --dns device0001.iot.domain.com -o dev.csr
    csr-build --key dev.key --dns device0001.iot.domain.com --challenge-password-file <(head -c 12 /dev/zero | base64) -o other.csr
    local csr
    for csr in dev.csr other.csr; do
        run est-enroll simpleenroll "${server[@]}" --json <"$csr"
        [ "$status" = 77 ]
        [[ "$output" == *"channel binding"*"over TLS 1.3 that is tls-exporter (RFC 9266), and tls-unique needs TLS 1.2"* ]]
    done
    sed -i 's/^\[tls\]$/[tls]\nmin_version = "1.3"\nmax_version = "1.2"/' "$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [[ "$output" == *"max_version: must not be less than min_version"* ]]
    sed -i '/^min_version/d' "$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 20 grep -q '"msg":"reloaded' "$PKI/relay.log"
    run openssl s_client -connect "127.0.0.1:$RELAY_PORT" -tls1_3 </dev/null
    [ "$status" != 0 ]
    run est-enroll simpleenroll "${server[@]}" --json <dev.csr
    [ "$status" = 77 ]
    [[ "$output" == *"over TLS 1.2 that is tls-unique (RFC 5929)"* ]]
    est-enroll run "${server[@]}" --new-key ec:P-256 --key-out new.key --timeout 60s -o new.pem
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -F device0001.iot.domain.com
}

@test "INT-24, ESTS-02a, ESTS-02b: the relay's own certificate comes from one CA, the devices' from another; cacerts is for all" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out dev.pem
    est - cacerts
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out anchors.pem
    openssl verify -CAfile anchors.pem dev.pem
    openssl verify -CAfile "$PKI/tls-root.pem" "$PKI/ra.pem"
    run openssl verify -CAfile "$PKI/tls-root.pem" dev.pem
    [ "$status" != 0 ]
    run openssl verify -CAfile anchors.pem "$PKI/ra.pem"
    [ "$status" != 0 ]
}

@test "ESTS-20b: a client cannot renegotiate" {
    relay
    mkfifo input
    timeout 60 openssl s_client -tls1_2 -connect "127.0.0.1:$RELAY_PORT" -CAfile "$PKI/tls-root.pem" \
        -cert "$PKI/device0001.pem" -key "$PKI/device0001.key" -msg <input >s_client.out 2>&1 3>&- &
    local client=$!
    exec 7>input
    wait_for 20 grep -q 'Verify return code: 0' s_client.out
    echo R >&7
    wait_for 20 grep -q RENEGOTIATING s_client.out
    wait_for 20 grep -qiE 'no.renegotiation' s_client.out
    exec 7>&-
    wait "$client" || true
    [ "$(grep -c 'ServerHello$' s_client.out)" = 1 ]
    est - cacerts
    [ "$STATUS" = 200 ]
}
