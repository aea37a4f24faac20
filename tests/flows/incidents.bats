#!/usr/bin/env bats
# What wakes an operator at night: the commands name the cause and the next step, and after that step the device has its
# certificate.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/operator
load ../lib/small_disk

setup() {
    operator_world
}

teardown() {
    stop_all
    unmount_small_disk
}

@test "OPR-18: incident: the disk with the database is full" {
    only_sqlite
    small_disk
    make_issuer "$PKI"
    RELAY_LIMITS='orders_per_device = 100' write_relay_toml "$PKI" '[store]' "sqlite = \"$FULL/relay.db\""
    by_program "$PKI" "$PKI/relay.toml"
    start_relay "$PKI"
    fill
    # The write-ahead log may have room for some.
    no_room() {
        rm -f device0001.csr.key
        ask_for device0001
        [ "$STATUS" = 503 ]
    }
    wait_for 30 no_room
    status_says "no decision is made: *full*next: see the database: *, the disk*"
    run run_relay check
    [ "$status" = 78 ]
    [[ $output == *"fail  store: $FULL"*"No space left"* ]]
    rm "$FULL/ballast"
    wait_for 20 curl -sf "$RELAY_ADMIN/readyz"
    gets_certificate device0001
    # What happened meanwhile is there afterwards.
    wait_for 30 has_event '.event == "store" and (.text | contains("full"))'
    wait_for 30 has_event '.event == "decision" and .details.ground == "storeAway"'
    events --level warning
    [[ $TEXT == *"store"*"full"*"next: "*"disk"* ]]
    [[ $TEXT == *"decision refused: unavailable"*"next: see the database: \`est-relay store status\`, its server, the disk"* ]]
    status_says "well *"
}

@test "OPR-18, OPR-21: incident: the authorization of the domain has lapsed, and the relay has no way to renew it" {
    start_authority
    RELAY_DNS='wait = "1m"' write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    authorize() {
        acme-preauth run --account "$ACCOUNT" --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" \
            -o authz.json iot.domain.com
    }
    authorize
    start_relay "$PKI"
    acme-preauth deactivate --account "$ACCOUNT" <authz.json >/dev/null
    refused device0001
    wait_for 20 has_event '.event == "order" and .outcome == "failed"'
    events --level warning
    [[ $TEXT == *"order failed: authorizationNeeded"*"next: pre-authorize with acme-preauth run, or configure a solver ([dns])"* ]]
    explain device0001
    [[ $TEXT == *"the CA wants proof for"*"iot.domain.com"*"est-relay retry device0001"* ]]
    status_says "*the last order failed at 20*the CA wants proof for*next: *"
    rm authz.json
    authorize
    run_relay retry device0001
    gets_certificate device0001
    status_says "well *"
}

@test "OPR-18: incident: the CA limits orders" {
    relay
    ask_for device0001 # now the domain is authorized
    gets_certificate device0001
    rm device0001.csr.key
    sleep 1 # success and failure are compared by the second
    set_fault retryAfter=20 # which is over soon: what says so comes first
    set_fault rateLimited=1
    refused device0001
    [ "$STATUS" = 503 ]
    explain device0001
    [[ $TEXT == *"rateLimited"*"next try 20"* ]]
    run_relay devices --state failed >list
    grep -q '^device0001 ' list
    status_says "the last order failed at 20*rateLimited*next: \`est-relay devices --state failed\` lists*"
    wait_for 20 has_event '.event == "order" and .outcome == "failed"'
    events --level warning
    [[ $TEXT == *"order failed: rateLimited"*"next: wait until the time given, and send fewer requests"* ]]
    run_relay forecast >future
    clean future
    is_due() { sleep 1; gets_certificate device0001; }
    wait_for 20 is_due
    status_says "well *"
}

@test "OPR-18: incident: the CA does not take the request" {
    relay
    set_fault problem=finalize:badCSR
    refused device0001
    wait_for 20 has_event '.event == "order" and .outcome == "failed"'
    events --level warning
    [[ $TEXT == *"order failed: badCSR"*"next: "* ]]
    [[ $TEXT == *"decision refused: badRequest"*"next: \`est-relay explain device0001\` shows the order"* ]]
    status_says "the last order failed at 20*badCSR*next: \`est-relay devices --state failed\` lists*"
    explain device0001
    [[ $TEXT == *"badCSR"*"next try 20"*"\`est-relay retry device0001\` ends that"* ]]
    set_fault problem=off
    run_relay retry device0001
    gets_certificate device0001
    status_says "well *"
}

@test "OPR-18, OPR-20: incident: the name server does not take the relay's key any more" {
    start_authority
    write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    cp "$TSIG_KEY" right
    (umask 077 && sed "s|:[^:]*\$|:$(openssl rand -base64 32)|" right >"$TSIG_KEY")
    start_relay "$PKI"
    refused device0001
    wait_for 20 has_event '.event == "order" and .outcome == "failed"'
    events --level warning
    [[ $TEXT == *"authorization"*"TSIG"*"next: "* ]]
    [[ $TEXT == *"order failed: "*"TSIG"*"next: "* ]]
    status_says "*iot.domain.com cannot be authorized*TSIG*next: \`est-relay check --online\` tries it*"
    run run_relay check --online
    echo "$output"
    [ "$status" = 78 ]
    [[ $output == *"fail "*"TSIG"* ]]
    cp right "$TSIG_KEY"
    run_relay check --online >/dev/null
    reload_relay
    run_relay retry device0001
    gets_certificate device0001
    status_says "well *"
}
