#!/usr/bin/env bats
# Why a device has no certificate: est-relay and teap-relay explain, devices and retry, on the store of a relay that runs.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/operator
load ../lib/brski
load ../lib/teap

setup() {
    operator_world
}

teardown() {
    stop_all
}

# ask_until STATUS DEVICE: sends the request until that is the answer.
ask_until() {
    for _ in $(seq 240); do
        ask_for "$2"
        [[ $STATUS != "$1" ]] || return 0
        sleep 0.5
    done
    return 1
}

at_the_ca() { [ "$(requests finalize)" = 1 ]; }
has_reason() { est-relay explain --config "$PKI/relay.toml" "$1" | grep -q '^  reason'; }

devices() { # [OPTION...]: the list in the file "list" and in list.json
    est-relay devices --config "$PKI/relay.toml" "$@" >list
    est-relay devices --config "$PKI/relay.toml" --json "$@" >list.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/devices.json" <list.json
    clean list
    cat list
}

@test "OPR-01, OPR-07: a device that is not in the inventory, one that never came, and one that is blocked" {
    relay
    # Nothing is known of a stranger but that the inventory lacks it: 65, with what to do.
    run --separate-stderr est-relay explain --config "$PKI/relay.toml" stranger9999
    [ "$status" = 65 ]
    [ -z "$output" ]
    [[ $stderr == *"stranger9999: never seen; not in the inventory $PKI/devices.csv"*"add it as a line"* ]]
    run --separate-stderr est-relay explain --config "$PKI/relay.toml" --json $'od\e[31md'
    [ "$status" = 65 ]
    [ "$(jq -r .code <<<"$output")" = unknownDevice ]
    run est-relay explain --config "$PKI/relay.toml" ""
    [[ $status == 64 && $output == *"name one device"* ]]
    printf '%s' "$output$stderr" >said
    clean said
    explain device0001
    [[ $TEXT == *"identifier none: never seen"*"listed in $PKI/devices.csv"*"blocked no"* ]]
    [[ $TEXT == *"next: the device has never asked for a certificate"* ]]
    # Blocked by its serial number, before and after it is known.
    est-relay block --config "$PKI/relay.toml" device0001
    explain device0001
    [[ $TEXT == *"blocked since 20"*"as device0001"*"next: the device is blocked; \`est-relay unblock device0001\` ends that"* ]]
    jq -e '.blocked.as == "device0001" and .inventory == "listed"' document.json
    est-relay unblock --config "$PKI/relay.toml" device0001
    ask_until 200 device0001
    explain device0001
    [[ $TEXT == *"blocked no"* && $TEXT != *unblock* ]]
    est-relay block --config "$PKI/relay.toml" device0001
    explain device0001
    [[ $TEXT == *"next: the device is blocked;"*"next: the device has a certificate until"* ]]
    # Taken out of the inventory afterwards.
    est-relay unblock --config "$PKI/relay.toml" device0001
    echo other >"$PKI/devices.csv"
    explain device0001
    [[ $TEXT == *"next: not in the inventory $PKI/devices.csv: its requests get 403; add the line \"device0001\""* ]]
    jq -e '.inventory == "absent"' document.json
}

@test "OPR-02, OPR-05: the CA refuses, the failure is remembered, and retry ends that" {
    relay
    set_fault problem=finalize:badCSR
    refused device0001
    local orders refused=$STATUS
    orders=$(requests newOrder)
    ask_for device0001
    [ "$STATUS" = "$refused" ]
    [ "$(requests newOrder)" = "$orders" ]
    explain device0001
    [[ $TEXT == *"order failed since 20"*"names device0001.iot.domain.com"*"refused"*badCSR*"next try 20"* ]]
    [[ $TEXT == *"next: the failure is remembered until 20"*"\`est-relay retry device0001\` ends that"* ]]
    jq -e '.orders[0] | .state == "failed" and (.refusal.text | contains("badCSR")) and .nextTry > .since' document.json
    devices --state failed
    grep -q '^0 pending, 1 failed, 0 issued, 0 expiring$' list
    grep -qE '^device0001 +failed +20.*Z  device0001.iot.domain.com$' list
    grep -q badCSR list
    # Retry, while the relay runs: the same request comes to its certificate.
    set_fault problem=off
    ask_for device0001
    [ "$STATUS" = "$refused" ]
    [ "$(est-relay retry --config "$PKI/relay.toml" device0001)" = "$(jq -r .device document.json): 1 failure forgotten" ]
    explain device0001
    [[ $TEXT == *"next: the next request of the device"* && $TEXT != *"is remembered until"* ]]
    ask_until 200 device0001
    est-relay retry --config "$PKI/relay.toml" --json device0001 >retry.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/retry.json" <retry.json
    jq -e '.failures == 0 and .underWay == 0' retry.json
    explain device0001
    [[ $TEXT == *"order issued since"*"next: the device has a certificate until"* ]]
}

@test "OPR-05: retry leaves an order under way alone, and continues what is at the CA after a failure" {
    relay
    set_fault processing=12
    ask_for device0001
    [ "$STATUS" = 202 ]
    wait_for 20 at_the_ca
    [[ $(est-relay retry --config "$PKI/relay.toml" device0001) == *": 0 failures forgotten; 1 order under way, not touched" ]]
    ask_for device0001
    [ "$STATUS" = 202 ]
    [ "$(requests newOrder)" = 1 ]
    # Whose URL is known is continued: no second newOrder.
    if [[ -z ${ACMETOOL_POSTGRESQL:-} ]]; then
        kill "$RELAY_PID"
        wait "$RELAY_PID"
        sqlite3 "$PKI/relay.db" "UPDATE orders SET state = 3, why = 8, words = 'out of order', until = until + 4000000000"
        start_relay "$PKI"
        ask_for device0001
        [ "$STATUS" = 502 ]
        grep -q 'out of order; remembered since' "$PKI/body"
        [[ $(est-relay retry --config "$PKI/relay.toml" device0001) == *": 1 failure forgotten" ]]
        explain device0001
        [[ $TEXT == *"next: the next request of the device continues the order at the CA"* ]]
        ask_until 200 device0001
        [ "$(requests newOrder)" = 1 ]
    fi
}

@test "OPR-02, OPR-03: an order that waits for the CA, by each word that names its device" {
    relay
    set_fault processing=20
    ask_for device0001
    [ "$STATUS" = 202 ]
    wait_for 20 at_the_ca
    explain device0001
    [[ $TEXT == *"order placed since 20"*"at the CA $(jq -r .orders[0].url document.json) "* ]]
    [[ $TEXT == *"next: the order waits for the CA since "*"; the device asks again"* ]]
    local id request
    id=$(jq -r .device document.json)
    request=$(jq -r '.orders[0].requestId' document.json)
    [[ $id == device0001@* && $request == ???????????????? ]]
    grep -q "$request" "$PKI/relay.log"
    devices
    grep -q '^1 pending, 0 failed, 0 issued, 0 expiring$' list
    jq -e '.devices | length == 1 and .[0].state == "pending" and .[0].serial == "device0001"' list.json
    ask_until 200 device0001
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out dev.pem
    local word serial
    serial=$(openssl x509 -in dev.pem -noout -serial | cut -d = -f 2)
    for word in "$id" "$request" device0001.iot.domain.com DEVICE0001.IOT.domain.com "$serial" "${serial,,}"; do
        explain "$word"
        [ "$(jq -r .device document.json)" = "$id" ]
    done
    run --separate-stderr est-relay explain --config "$PKI/relay.toml" device0001@nobody
    [ "$status" = 65 ]
}

@test "OPR-04: an issued certificate, and the same revoked" {
    relay
    ask_until 200 device0001
    explain device0001
    local serial
    serial=$(jq -r '.certificates[0].serial' document.json)
    [[ $TEXT == *"certificate $serial names device0001.iot.domain.com valid 20"*" to 20"*"next: the device has a certificate until"* ]]
    jq -e '.names == ["device0001.iot.domain.com"]' document.json
    est-relay revoke --config "$PKI/relay.toml" "$serial"
    explain "$serial"
    [[ $TEXT == *"revoked 20"*"next: its certificate was revoked at 20"*"a new key"* ]]
    jq -e '.certificates[0].revoked' document.json
    devices
    grep -q "the certificate is revoked" list
}

@test "OPR-06: the list has counts, states, a time and a limit, the newest first" {
    relay
    local serial
    for serial in d1 d2 d3; do
        make_idevid "$PKI" "$serial"
        echo "$serial" >>"$PKI/devices.csv"
    done
    kill -HUP "$RELAY_PID"
    for serial in d1 d2; do
        ask_until 200 "$serial"
        sleep 1
    done
    set_fault rateLimited=9
    refused d3 # until its order has failed, which moves it in the list
    devices
    jq -e '.counts | .issued == 2 and .failed == 1 and .pending == 0' list.json
    jq -e '[.devices[].serial] == ["d3", "d2", "d1"] and (.more | not)' list.json
    devices --limit 1
    jq -e '[.devices[].serial] == ["d3"] and .more' list.json
    grep -q "^there are more: --after $(jq -r .next list.json)\$" list
    # Page by page all of them come, each once.
    devices --limit 1 --after "$(jq -r .next list.json)"
    jq -e '[.devices[].serial] == ["d2"] and .more' list.json
    devices --limit 1 --after "$(jq -r .next list.json)"
    jq -e '[.devices[].serial] == ["d1"] and (.more | not) and (has("next") | not)' list.json
    devices --state issued,expiring --limit 1
    jq -e '[.devices[].serial] == ["d2"] and .more' list.json
    devices --state expiring
    jq -e '.devices == []' list.json
    # As seen in six days, of seven.
    clock_variables +6d
    env "${CLOCK_VARIABLES[@]}" est-relay devices --config "$PKI/relay.toml" --state expiring --json |
        jq -e '[.devices[].serial] == ["d2", "d1"] and .counts.expiring == 2'
    env "${CLOCK_VARIABLES[@]}" est-relay devices --config "$PKI/relay.toml" --since 1d --json |
        jq -e '.devices == [] and .counts.issued + .counts.expiring == 0'
    local wrong
    for wrong in "--limit 0" "--limit 1001" "--state lost" "--since 5" "--after d2" "--after 2026-12-01T00:00:00Z/9/ZDI"; do
        # shellcheck disable=SC2086
        run --separate-stderr est-relay devices --config "$PKI/relay.toml" $wrong
        [ "$status" = 64 ]
    done
    run --separate-stderr est-relay retry --config "$PKI/relay.toml" d1 d2
    [ "$status" = 64 ]
}

@test "OPR-08: a voucher that waits for a MASA that is dead" {
    wait_for_dead_masa
    wait_for 20 has_reason pledgeid
    explain pledgeid
    [[ $TEXT == *"voucher-request asking since 20"*"manufacturer lab"*"MASA"*"127.0.0.1:$MASA_PORT"* ]]
    [[ $TEXT == *"next: no voucher yet: the MASA"*"127.0.0.1:$MASA_PORT"*"is asked since"*"the device asks again"* ]]
    jq -e '.voucher | .state == "asking" and .manufacturer == "lab" and .reason' document.json
    explain pledgeid@lab
    devices --state pending
    grep -q '1 waiting for a voucher, 0 refused one' list
    jq -e '.devices[0] | .serial == "pledgeid" and .state == "pending"' list.json
    # It answers: the device gets its voucher, and then its certificate.
    start_masa "$MAKER"
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <one >voucher
    explain pledgeid
    [[ $TEXT == *"voucher-request forwarded"*"next: the device has its voucher, and has not asked for a certificate yet"* ]]
    est-enroll run --server "$REGISTRAR" --explicit-ta "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key \
        --new-key auto --key-out new.key -o new.pem
    explain pledgeid
    [[ $TEXT == *"voucher-request enrolled"*"next: the device has a certificate until"* ]]
}

@test "OPR-01: teap-relay has the same commands, on its own store; without a store there is nothing to read" {
    make_issuer "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    if [[ -z ${ACMETOOL_POSTGRESQL:-} ]]; then
        run --separate-stderr teap-relay explain --config "$PKI/teap.toml" device0001
        [ "$status" = 78 ]
        [[ $stderr == *"the store does not exist"* ]]
        [ ! -e "$PKI/relay.db" ]
    fi
    on_postgresql "$PKI/teap.toml" teap-relay
    teap-relay store init --config "$PKI/teap.toml" >/dev/null
    teap-relay explain --config "$PKI/teap.toml" device0001 >screen
    grep -q '^next: the device has never asked for a certificate' screen
    [ "$(teap-relay devices --config "$PKI/teap.toml")" = "0 pending, 0 failed, 0 issued, 0 expiring" ]
    [ "$(teap-relay retry --config "$PKI/teap.toml" device0001)" = "device0001: 0 failures forgotten" ]
}
