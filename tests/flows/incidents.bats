#!/usr/bin/env bats
# What wakes an operator at night: the commands name the cause and the next step, and after that step the device has its
# certificate.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/operator
load ../lib/est
load ../lib/brski
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

@test "OPR-18, OPR-24: incident: the CA limits orders, in the second in which it issued a certificate" {
    relay
    ask_for device0001 # now the domain is authorized
    gets_certificate device0001
    rm device0001.csr.key
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

@test "OPR-26: incident: a CAA record of the domain names another CA" {
    DNS_EXTRA='@ IN CAA 0 issue "elsewhere.example"' start_authority --issuer-domain lab.invalid --caa
    local dns=${STARTED[0]}
    write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    start_relay "$PKI"
    refused device0001
    wait_for 20 has_event '.event == "order" and .outcome == "failed"'
    events --level warning
    [[ $TEXT == *"order failed: caa"*"they name elsewhere.example"*"next: a CAA record of the domain forbids it: acme-preauth caa-record prints one that allows it"* ]]
    status_says "the last order failed at 20*they name elsewhere.example*next: \`est-relay devices --state failed\` lists*"
    explain device0001
    [[ $TEXT == *"they name elsewhere.example"*"next try 20"*"\`est-relay retry device0001\` ends that"* ]]
    # What the next step shows, and what to publish instead.
    run acme-preauth caa-record --account "$ACCOUNT" --resolver "$DNS_SERVER" iot.domain.com
    [[ $output == *'CAA 0 issue "lab.invalid;'*"they name elsewhere.example"* || $output == *"they name elsewhere.example"*'CAA 0 issue "lab.invalid;'* ]]
    sed -i 's/elsewhere.example/lab.invalid/; s/ 1 3600 / 1000 3600 /' "$PWD/knot/zones/domain.com.zone"
    kill -HUP "$dns"
    allowed() { run_relay check --online | grep -q 'the CAA records at domain.com allow this CA'; }
    wait_for 20 allowed
    run_relay retry device0001
    gets_certificate device0001
    status_says "well *"
}

# no_voucher CAUSE WORDS NEXT: what status, explain, devices and events say of pledgeid's.
no_voucher() {
    wait_for 20 has_event ".event == \"brski\" and .cause == \"$1\""
    events --level warning
    [[ $TEXT == *"pledgeid brski refused: $1"*"$2"*"next: $3"*"\`est-relay retry pledgeid\`"* ]]
    status_says "pledgeid got no voucher for its request of 20*$2*next: \`est-relay explain pledgeid\` says what to do*"
    explain pledgeid
    [[ $TEXT == *"voucher-request refused since 20"*"reason $2"*"next: the device got no voucher: $2"*"next: $3"* ]]
    jq -e --arg cause "$1" '.voucher.cause == $cause' document.json
    run_relay devices --state failed >list
    grep -q '1 refused one$' list
    grep -q '^pledgeid  *failed ' list
    curl -sf "$RELAY_ADMIN/status" >status.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/relay-status.json" <status.json
}

# opened: retry has the MASA asked again.
opened() {
    run_relay retry pledgeid >said
    [[ $(cat said) == pledgeid@*": 0 failures forgotten; its voucher-request is open again" ]]
    run_relay retry --json pledgeid | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/retry.json"
}

# enrols_with_voucher FILE: the pledge repeats its request, gets its voucher, and enrols.
enrols_with_voucher() {
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <"$1" >voucher
    est-enroll run --server "$REGISTRAR" --explicit-ta "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key \
        --new-key auto --key-out new.key -o new.pem
    openssl verify -CAfile "$PKI/tls-root.pem" new.pem
    explain pledgeid
    [[ $TEXT == *"voucher-request enrolled"*"next: the device has a certificate until"* ]]
    status_says "well *"
}

end_of() { # PID
    kill "$1"
    wait "$1" || true
}

@test "OPR-23: incident: the MASA does not know the device, and then has it for another owner" {
    make_flow5
    no_ca
    printf 'other,%064d\n' 0 >none
    printf 'pledgeid,%064d\n' 0 >another
    start_masa "$MAKER" --owners none --owners-only
    registrar
    request one
    ask one
    [ "$STATUS" = 404 ]
    no_voucher masaUnknown "the MASA answered 404: device pledgeid is unknown" "ask the manufacturer whether the device was sold to you; once its MASA knows that,"
    # The MASA's word counts until somebody says otherwise.
    ask one
    [ "$STATUS" = 404 ]
    end_of "$MASA_PID"
    start_masa "$MAKER" --owners another
    opened
    ask one
    [ "$STATUS" = 403 ]
    no_voucher masaRefused "the MASA answered 403: device pledgeid belongs to another domain" "ask the manufacturer whether the device was sold to you; once its MASA knows that,"
    # It is not ours after all, so it is forgotten: nothing is wrong here.
    run_relay forget pledgeid >said
    [[ $(cat said) == pledgeid@*": 0 failed orders and 1 voucher-request forgotten" ]]
    run_relay forget --json pledgeid | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/forgotten.json"
    status_says "well *"
    # It is ours: the MASA's list is corrected.
    ask one
    [ "$STATUS" = 403 ]
    end_of "$MASA_PID"
    echo "pledgeid,pki/ra.pem" >ours
    start_masa "$MAKER" --owners ours
    opened
    enrols_with_voucher one
}

@test "OPR-23: incident: the MASA sends a voucher for another domain" {
    make_flow5
    no_ca
    script lies liar
    local liar=${STARTED[-1]}
    MASA_PORT=${EST_URL##*:}
    rm pledgeid.pem pledgeid.key
    make_pledge "$MAKER" pledgeid
    registrar
    request one
    make_voucher lie "$(voucher_json one "$MAKER/vendor.pem")"
    rules "$(answers lie)"
    ask one
    [ "$STATUS" = 403 ]
    no_voucher badVoucher "the voucher pins another domain than this registrar's" "ask the manufacturer: its MASA sends vouchers that are of no use here; once it sends others,"
    end_of "$liar"
    start_masa "$MAKER"
    opened
    enrols_with_voucher one
}

@test "OPR-23: incident: the device does not take its voucher, whose signer it does not trust" {
    make_flow5
    no_ca
    make_pledge "$PWD/other" other
    start_masa "$MAKER"
    registrar
    run brski-pledge run "${PLEDGE[@]}" --registrar "$REGISTRAR" --manufacturer-ta other/vendor.pem --key-out no.key -o no.pem
    [ "$status" != 0 ]
    wait_for 20 has_event '.event == "voucher_status" and .outcome == "failure"'
    events --level warning
    [[ $TEXT == *"voucher_status failure"*"next: the device does not take its voucher"* ]]
    status_says "pledgeid does not take the voucher for its request of 20*failure*next: \`est-relay explain pledgeid\` says what to do*"
    explain pledgeid
    [[ $TEXT == *"voucher failure"*"next: the device says that its voucher is not good"*"next: see whether the device trusts the CA of its MASA's voucher; \`est-relay retry pledgeid\`"* ]]
    opened
    pledge_run --registrar "$REGISTRAR" -o new.pem
    explain pledgeid
    [[ $TEXT == *"next: the device has a certificate until"* ]]
    status_says "well *"
    as_documented "$PKI/relay.log" | grep -qw voucher_status
}

@test "OPR-25: incident: a voucher waits for a MASA that is dead" {
    wait_for_dead_masa
    wait_for 20 has_event '.event == "brski" and .cause == "masaSilent"'
    events --level warning
    [[ $TEXT == *"pledgeid brski asking: masaSilent"*"127.0.0.1:$MASA_PORT"*"next: \`est-relay check --online\` tries the MASA;"* ]]
    status_says "the MASA https://127.0.0.1:$MASA_PORT* does not answer, and pledgeid waits for a voucher since 20*next: \`est-relay check --online\` tries it*"
    explain pledgeid
    [[ $TEXT == *"next: no voucher yet: the MASA"*"next: \`est-relay check --online\` tries the MASA;"* ]]
    run run_relay check --online
    [ "$status" = 78 ]
    [[ $output == *"fail "*"127.0.0.1:$MASA_PORT"* ]]
    # It says the same for hours, which is one event: libcurl's words have how long it took.
    run_relay events --json | jq -se 'any(.[]; .cause == "masaSilent") and (any(.[]; .text | test("after [0-9]+ m")) | not)'
    sleep 4
    [ "$(run_relay events --json | jq -s '[.[] | select(.cause == "masaSilent")] | length')" = 1 ]
    start_masa "$MAKER"
    kill -HUP "$RELAY_PID"
    wait_for 20 device_is ready
    enrols_with_voucher one
}
