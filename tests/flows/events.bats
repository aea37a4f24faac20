#!/usr/bin/env bats
# What happened, and what will: est-relay and teap-relay events, forecast, status, forget, revoke --at-ca and blocks. Incidents are
# solved with the commands alone.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/operator
load ../lib/teap

setup() {
    operator_world
}

teardown() {
    stop_all
}

lone_teap() {
    make_issuer "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    start_teap "$PKI"
}

@test "OPR-09, OPR-12: the events of an enrolment, in order, by device and by request, as a table and as lines of JSON" {
    relay
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    wait_for 20 has_event '.event == "decision" and .outcome == "issued"' --device device0001
    events --device device0001
    local id request
    request=$(jq -rs 'map(select(.event == "order"))[0].requestId' events.json)
    id=$(jq -rs 'map(select(.device))[0].device' events.json)
    [[ $id == device0001@* ]]
    # In the order of time; what the CA did has no device, but the request's id.
    jq -es '(map(.time) | . == sort) and all(.[]; .serial == "device0001" or .event == "order" or .event == "authorization")' events.json
    jq -es 'any(.[]; .event == "order" and .outcome == "placed" and .protocol == "acme" and (.details.order | startswith("https://")))' events.json
    jq -es 'any(.[]; .event == "decision" and .protocol == "est" and .details.identifiers == ["device0001.iot.domain.com"])' events.json
    grep -q "^TIME  *DEVICE  *EVENT$" list
    grep -qE '^20.*Z  device0001 .* decision issued' list
    events --request "$request"
    jq -es 'length > 0 and all(.[]; .requestId == "'"$request"'")' events.json
    for word in "$id" "$request" device0001.iot.domain.com; do
        has_event '.event == "decision"' --device "$word"
    done
    # Time and number.
    events --limit 1
    jq -es 'length == 1' events.json
    events --since 1d --until 1h
    [ ! -s events.json ]
    events --since 1h
    [ -s events.json ]
    events --since "$(date -u +%FT%TZ -d '-1 hour')" --until "$(date -u +%FT%TZ -d '+1 hour')"
    [ -s events.json ]
    local wrong
    for wrong in "--since yesterday" "--limit 0" "--level loud" "--follow --until 1h" "--follow -o x"; do
        # shellcheck disable=SC2086
        run --separate-stderr run_relay events $wrong
        [ "$status" = 64 ]
    done
}

@test "OPR-12: --follow prints what comes, until a signal" {
    lone_relay
    est-relay events --config "$PKI/relay.toml" --follow --json >followed &
    local follower=$!
    STARTED+=("$follower")
    # It has begun once it prints what another device does.
    comes() { ask_for device0001 && grep -q device0001 followed; }
    wait_for 20 comes
    ask_for stranger9999
    [ "$STATUS" = 403 ]
    wait_for 20 grep -q '"claims":"stranger9999"\|"serial":"stranger9999"' followed
    [ "$(grep -c stranger9999 followed)" = 1 ]
    kill -INT "$follower"
    local status=0
    wait "$follower" || status=$?
    [ "$status" = 130 ]
}

@test "OPR-13: incident: the device is not in the inventory" {
    lone_relay
    ask_for stranger9999
    [ "$STATUS" = 403 ]
    wait_for 20 has_event '.serial == "stranger9999"'
    explain stranger9999
    [[ $TEXT == *"next: not in the inventory $PKI/devices.csv: its requests get 403; add the line \"stranger9999\""* ]]
    [[ $TEXT == *"next: the last request of the device was refused at 20"*"not in the inventory"* ]]
    jq -e '.events[0] | .outcome == "refused" and .cause == "forbidden" and (.text | contains("inventory"))' document.json
    events --level warning
    [[ $TEXT == *"stranger9999 decision refused: forbidden"*"not in the inventory"*"next: if the device may enrol, add stranger9999 to the inventory"* ]]
    # What it says is done, and the device gets its certificate.
    echo stranger9999 >>"$PKI/devices.csv"
    kill -HUP "$RELAY_PID"
    wait_for 20 grep -q '"msg":"reloaded"' "$PKI/relay.log"
    ask_for stranger9999
    [ "$STATUS" = 200 ]
    explain stranger9999
    [[ $TEXT == *"next: the device has a certificate until"* && $TEXT != *"was refused at"* ]]
    # Nobody that is unknown in each way: 65 as before.
    run --separate-stderr run_relay explain nobody
    [ "$status" = 65 ]
}

@test "OPR-27: devices whose last request was refused before an order, and those of the inventory that never came, page by page" {
    relay
    local serial
    for serial in d1 d2 d3; do
        make_idevid "$PKI" "$serial"
        echo "$serial" >>"$PKI/devices.csv"
    done
    reload_relay
    listed() { # OPTION...
        run_relay devices "$@" >list
        run_relay devices --json "$@" >list.json
        "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/devices.json" <list.json
        clean list
        cat list
    }
    listed --state unseen
    [ "$(head -n 1 list)" = "0 pending, 0 failed, 0 issued, 0 expiring; 4 of the inventory never seen" ]
    jq -e '[.devices[].serial] == ["d1", "d2", "d3", "device0001"] and all(.devices[]; .state == "unseen" and (has("since") | not))' list.json
    grep -qE '^d1 +unseen +- *$' list
    listed --state unseen --limit 3
    jq -e '.more and .counts.unseen == 4' list.json
    listed --state unseen --limit 3 --after "$(jq -r .next list.json)"
    jq -e '[.devices[].serial] == ["device0001"] and (.more | not)' list.json
    # One gets a certificate, the CA refuses one, the relay refuses two, and a stranger claims to be a third.
    ask_for d1
    gets_certificate d1
    set_fault problem=finalize:badCSR
    refused d2
    set_fault problem=off
    ask_for stranger9999
    [ "$STATUS" = 403 ]
    ask_for d3 other.iot.domain.com
    [[ $STATUS == 4* ]]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/false.key" -out "$PKI/false.pem" \
        -subj "/serialNumber=device0009" -days 3 2>/dev/null
    est false simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @d1.csr
    [ "$STATUS" = 401 ]
    all_told() { [ "$(run_relay devices --state refused --json | jq .counts.refused)" = 3 ]; }
    wait_for 20 all_told
    listed --state refused
    [ "$(head -n 1 list)" = "0 pending, 1 failed, 1 issued, 0 expiring; 3 refused before an order" ]
    jq -e '[.devices[].serial] | sort == ["d3", "device0009", "stranger9999"]' list.json
    jq -e '.devices[] | select(.serial == "device0009") | .device == "device0009" and (.note | startswith("nobody proved to be it; "))' list.json
    jq -e '.devices[] | select(.serial == "stranger9999") | (.device | startswith("stranger9999@")) and (.note | contains("inventory"))' list.json
    local seen=() after=()
    while :; do
        listed --state refused --limit 1 "${after[@]}"
        seen+=("$(jq -r '.devices[0].serial' list.json)")
        [ "$(jq .more list.json)" = true ] || break
        after=(--after "$(jq -r .next list.json)")
    done
    [ "$(printf '%s\n' "${seen[@]}" | sort | tr '\n' ' ')" = "d3 device0009 stranger9999 " ]
    # All of them, the failed one by its order, in one list.
    listed
    jq -e '[.devices[] | .serial + " " + .state] | sort == ["d1 issued", "d2 failed", "d3 refused", "device0009 refused", "stranger9999 refused"]' list.json
    listed --state unseen
    jq -e '[.devices[].serial] == ["device0001"]' list.json
    curl -sf "$RELAY_ADMIN/devices?state=unseen" | grep -q device0001
    curl -sf "$RELAY_ADMIN/devices?state=refused" | grep -q stranger9999
    # What came to a decision since is not refused any more.
    ask_for d3
    gets_certificate d3
    two_left() { [ "$(run_relay devices --state refused --json | jq .counts.refused)" = 2 ]; }
    wait_for 20 two_left
    listed --state refused --since 1d
    listed --state failed,refused
    jq -e '[.devices[].serial] | sort == ["d2", "device0009", "stranger9999"]' list.json
    mv "$PKI/devices.csv" "$PKI/away.csv"
    run --separate-stderr run_relay devices --state unseen
    [ "$status" = 78 ]
}

@test "OPR-13: incident: a device of a manufacturer that nobody trusts, and one that shows nothing" {
    lone_relay
    mkdir other
    make_new_pki "$PWD/other"
    cp other/device0001.pem "$PKI/false.pem"
    cp other/device0001.key "$PKI/false.key"
    make_csr device0001.iot.domain.com csr
    est false simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [[ $STATUS == 40[13] ]]
    wait_for 20 has_event '.claims == "device0001"'
    explain device0001
    [[ $TEXT == *"identifier none: nobody proved to be it"*"next: somebody who claims to be this device was refused at 20"* ]]
    [[ $TEXT == *"neither by a known manufacturer"*"trust in [clients.idevid]"* ]]
    events --level warning
    [[ $TEXT == *"shows serialNumber=device0001"*"next: if its manufacturer is to be trusted, add its CA to trust"* ]]
    cp other/maker.pem "$PKI/other.pem"
    sed -i 's/^trust = .*/trust = ["maker.pem", "other.pem"]/' "$PKI/relay.toml"
    reload_relay
    est false simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 200 ]
    est - simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 401 ]
    wait_for 20 has_event '.event == "request" and .cause == "unauthenticated"'
    events
    [[ $TEXT == *"request refused: unauthenticated"*"next: the device showed no certificate and no password"* ]]
}

@test "OPR-13: incident: the secret of a switch is wrong, and a switch that is not configured" {
    PROGRAM=teap-relay FILE=teap.toml
    lone_teap
    cp "$PKI/secret" right
    (umask 077 && echo wrong >"$PKI/secret")
    run peer device0001 --timeout 3s
    [ "$status" != 0 ]
    wait_for 20 has_event '.event == "radius" and .outcome == "drop"'
    events --level warning
    [[ $TEXT == *"radius drop: message_authenticator"*"wrong shared secret"*"from 127.0.0.1"* ]]
    [[ $TEXT == *"next: compare the secret of the [[client]] with this address with that of the switch 127.0.0.1"* ]]
    cp right "$PKI/secret"
    kill -HUP "$TEAP_PID"
    wait_for 20 grep -q '"msg":"reloaded"' "$TEAP_LOG"
    peer device0001 --new-key ec:P-256 --key-out dev.key -o dev.pem
    wait_for 20 has_event '.event == "teap" and .outcome == "accept"'
    events
    jq -es 'any(.[]; .event == "teap" and .serial == "device0001")' events.json
    as_documented "$TEAP_LOG" | grep -qw radius
}

@test "OPR-47: incident: devices whose TLS handshake fails; the address and the cause are in the log, once a minute" {
    lone_relay
    local at="127.0.0.1:$RELAY_PORT" cause
    told() { has_event ".event == \"handshake\" and .cause == \"$1\" and .address == \"127.0.0.1\""; }
    # As a load balancer looks whether there is somebody.
    (exec 4<>"/dev/tcp/127.0.0.1/$RELAY_PORT")
    openssl s_client -connect "$at" -CAfile "$PKI/maker.pem" -verify_return_error </dev/null >said 2>&1 || true
    openssl s_client -connect "$at" -tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null >said 2>&1 || true
    openssl s_client -connect "$at" -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 </dev/null >said 2>&1 || true
    for _ in 1 2 3; do
        curl -s --max-time 20 "http://$at/.well-known/est/cacerts" >said || true
    done
    for cause in untrusted version algorithms not_tls; do
        wait_for 20 told "$cause"
        [ "$(grep '"event":"handshake"' "$PKI/relay.log" | grep -c "\"cause\":\"$cause\"")" = 1 ]
    done
    run ! told closed
    events --level warning
    [[ $TEXT == *"handshake: untrusted the client does not trust the certificate in [tls]: "*"unknown ca"*"from 127.0.0.1"* ]]
    [[ $TEXT == *"next: give the device 127.0.0.1 the root of the certificate in [tls]"* ]]
    [[ $TEXT == *"handshake: not_tls the client does not speak TLS: "*"its URL has to begin with https"* ]]
    as_documented "$PKI/relay.log" | grep -qw handshake
    curl -s "$RELAY_ADMIN/metrics" >metrics
    grep -qx 'acmetool_est_handshake_failures_total 7' metrics
}

@test "OPR-13: incident: the clock of the relay is wrong" {
    RELAY_CLOCK=-60d lone_relay
    make_csr device0001.iot.domain.com csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [[ $STATUS == 40[13] ]]
    clock_variables -60d
    wait_for 20 has_event '.outcome == "refused"'
    events --level warning
    [[ $TEXT == *"this clock is at"*"next: compare the clock of this host with the dates of the certificate"* ]]
    # Of the relay's own certificate as well.
    env "${CLOCK_VARIABLES[@]}" est-relay status --config "$PKI/relay.toml" >said
    head -n 3 said | tr '\n' ' ' | grep -q "the relay's own certificate is not valid before .*, and this clock is at .*next: set the clock"
    RELAY_CLOCK='' restart_relay
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 200 ]
}

@test "OPR-13: incident: the certificate is revoked, at the relay and at the CA, and the device asks by it" {
    relay
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/new.pem"
    cp csr.key "$PKI/new.key"
    local serial
    serial=$(openssl x509 -in "$PKI/new.pem" -noout -serial | cut -d = -f 2)
    run --separate-stderr run_relay revoke --reason superseded "$serial"
    [ "$status" = 64 ]
    [[ $(run_relay revoke --at-ca --reason superseded --ca-file "$CA_FILE" "$serial") == "${serial,,} revoked, also at the CA: issued to device0001@"* ]]
    curl -sf --cacert "$CA_FILE" "${CA_DIRECTORY%/directory}/crl" | openssl crl -inform der -text -noout >crl.txt
    grep -A 4 "Serial Number: $serial" crl.txt | grep -q Superseded
    # A second time is no error; what the relay did not issue is said.
    run_relay revoke --at-ca --ca-file "$CA_FILE" --json "$serial" >again.json
    jq -e '.revoked | length == 1' again.json
    run --separate-stderr run_relay revoke --at-ca --ca-file "$CA_FILE" 0abc
    [ "$status" = 0 ]
    [[ $stderr == *"0abc: this relay issued no certificate"* && $output == "0abc revoked" ]]
    est new simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 403 ]
    wait_for 20 has_event '.outcome == "refused" and .serial == "device0001" and (.text | contains("revoked"))'
    explain device0001
    [[ $TEXT == *"next: its certificate was revoked at 20"* && $TEXT == *"was refused at 20"*"revoked"* ]]
    events --level warning
    [[ $TEXT == *"next: the device needs a new key, and enrols by its manufacturer's certificate"* ]]
    ask_for device0001
    gets_certificate device0001
}

@test "OPR-19: revoke --at-ca stops in the midst: what was done is printed, then what failed and what is left" {
    relay
    local name serials=()
    for name in one two three; do
        make_idevid "$PKI" "$name"
        echo "$name" >>"$PKI/devices.csv"
    done
    reload_relay
    for name in one two three; do
        ask_for "$name"
        gets_certificate "$name"
        serials+=("$(openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs |
            openssl x509 -noout -serial | cut -d = -f 2 | tr '[:upper:]' '[:lower:]')")
    done
    # The CA is slow, and refuses the second after it has answered the first.
    set_fault slow=revokeCert:6
    run_relay revoke --at-ca --ca-file "$CA_FILE" "${serials[@]}" >said 2>complaint &
    local program=$! status=0
    first_is_done() { [ "$(requests revokeCert)" = 1 ]; }
    wait_for 20 first_is_done
    set_fault problem=revokeCert:serverInternal
    set_fault slow=off
    wait "$program" || status=$?
    cat said complaint
    [ "$status" != 0 ]
    [[ $(sed -n 1p said) == "${serials[0]} revoked, also at the CA: issued to one@"* ]]
    [[ $(sed -n 2p said) == "${serials[1]} revoked: issued to two@"* ]]
    [[ $(sed -n 3p said) == "${serials[2]} revoked: issued to three@"* ]]
    grep -q "${serials[1]} is revoked here, but not at the CA: .*serverInternal.*; the CA was not asked about ${serials[2]}" complaint
    run ! grep -q "${serials[0]}" complaint
    grep -q "what is revoked already is no error" complaint
    run --separate-stderr run_relay revoke --at-ca --ca-file "$CA_FILE" --json "${serials[@]}"
    [ "$status" != 0 ]
    jq -se 'length == 2 and (.[0].revoked | map(.atCa)) == [false, false, false] and .[1].type == "error"' <<<"$output"
    jq -s '.[0]' <<<"$output" | "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/exclusion.json"
    # It does what it says.
    set_fault problem=off
    run_relay revoke --at-ca --ca-file "$CA_FILE" "${serials[@]}" >said
    [ "$(grep -c 'also at the CA' said)" = 3 ]
}

@test "OPR-13: incident: the CA refuses; forget lets the device begin anew" {
    relay
    set_fault problem=finalize:caa
    for _ in $(seq 60); do
        ask_for device0001
        [[ $STATUS == 202 ]] || break
        sleep 0.5
    done
    wait_for 20 has_event '.event == "order" and .outcome == "failed"'
    wait_for 20 has_event '.event == "decision" and .outcome == "refused"'
    events --level warning
    [[ $TEXT == *"order failed: caa"*"next: a CAA record of the domain forbids it"* ]]
    [[ $TEXT == *"decision refused: badRequest"*"next: \`est-relay explain device0001\` shows the order"* ]]
    jq -es 'any(.[]; .event == "order" and .cause == "caa" and .serial == "device0001" and .details.problem.type == "urn:ietf:params:acme:error:caa")' events.json
    run_relay status >said
    [[ $(head -n 1 said) == "the last order failed at 20"* ]]
    run_relay status --json >status.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/relay-status.json" <status.json
    jq -e '.troubles[0].next | contains("devices --state failed")' status.json
    set_fault problem=off
    [[ $(run_relay forget device0001) == "device0001@"*": 1 failed order forgotten" ]]
    run_relay forget --json device0001 >forgotten.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/forgotten.json" <forgotten.json
    jq -e '.orders == 0' forgotten.json
    enrol device0001 simpleenroll device0001.csr
    [ "$STATUS" = 200 ]
    run_relay status >said
    [ "$(head -n 1 said)" = well ]
}

@test "OPR-13: incident: the database is away; what happened meanwhile is there afterwards" {
    only_sqlite
    lone_relay
    ask_for device0001
    [ "$STATUS" = 200 ]
    mv "$PKI/relay.db" "$PKI/away.db"
    ask_for stranger9999
    [ "$STATUS" = 503 ]
    run_relay status >said
    [[ $(tr '\n' ' ' <said) == "no decision is made: "*"relay.db was removed"* ]]
    grep -q 'next: see the database: `est-relay store status`' said
    mv "$PKI/away.db" "$PKI/relay.db"
    wait_for 30 has_event '.text // "" | contains("store is not available")'
    wait_for 30 has_event '.event == "store" and (.text // "" | contains("removed"))'
    events --level warning
    [[ $TEXT == *"see the database"* ]]
    ask_for stranger9999
    [ "$STATUS" = 403 ]
}

@test "OPR-29: docs/LOG.md has each event of both relays with its members, and what each of them means" {
    relay
    ask_for device0001
    gets_certificate device0001
    ask_for stranger9999
    est - simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @device0001.csr
    est device0001 nothing
    set_fault problem=newOrder:rateLimited
    make_idevid "$PKI" d2
    echo d2 >>"$PKI/devices.csv"
    reload_relay
    refused d2
    ask_for d2
    restart_relay
    as_documented "$PKI/relay.log" >seen
    cat seen
    local event
    for event in authorization decision est-relay order request; do grep -qw "$event" seen; done
    kill "$RELAY_PID" # the database is one relay's
    wait "$RELAY_PID" || true
    PROGRAM=teap-relay FILE=teap.toml
    lone_teap
    peer device0001 --new-key ec:P-256 --key-out dev.key -o dev.pem
    run peer stranger9999
    as_documented "$TEAP_LOG" >seen
    for event in decision teap teap-relay; do grep -qw "$event" seen; done
}

@test "OPR-11: what strangers can cause is limited, and no request waits for it" {
    lone_relay
    make_csr device0001.iot.domain.com csr
    local i began kept dropped
    for i in $(seq 60); do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/s$i.key" -out "$PKI/s$i.pem" \
            -subj "/serialNumber=s$i" -days 3 2>/dev/null
    done
    began=$SECONDS
    for i in $(seq 60); do
        est "s$i" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    done
    # Twenty at once, and one more each half a minute that this took.
    local most=$((20 + (SECONDS - began + 1) / 30))
    are_counted() {
        events --limit 1000
        kept=$(jq -es '[.[] | select(.claims)] | length' events.json)
        dropped=$(curl -sf "$RELAY_ADMIN/metrics" | sed -n 's/^acmetool_events_dropped_total //p')
        ((kept + dropped == 60))
    }
    wait_for 20 are_counted
    ((kept >= 20 && kept <= most))
    # At the end, their number is told.
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    events --limit 1000
    jq -es 'any(.[]; .event == "events" and .outcome == "dropped" and .times == '"$dropped"')' events.json
}

@test "OPR-10: keep_events: older ones are removed, and with 0s none is kept" {
    only_sqlite
    make_issuer "$PKI"
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    printf '[store]\nkeep_events = "1d"\n' >>"$PKI/relay.toml"
    RELAY_CLOCK=-3d start_relay "$PKI"
    wait_for 20 has_event '.event == "relay"'
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    [ -n "$(run_relay events --json)" ]
    start_relay "$PKI"
    wait_for 20 eval '! run_relay events --json --until 2d | grep -q .'
    wait_for 20 has_event '.event == "relay"'
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    sed -i 's/^keep_events = .*/keep_events = "0s"/' "$PKI/relay.toml"
    start_relay "$PKI"
    wait_for 20 eval '! run_relay events --json | grep -q .'
    ask_for stranger9999
    sleep 2
    [ -z "$(run_relay events --json)" ]
}

@test "OPR-14: forecast: renewals by day, what ends, and when a limit binds" {
    while [ "$(date -u +%F -d '+80 hours')" != "$(date -u +%F -d '+80 hours 2 minutes')" ]; do sleep 5; done
    lone_relay
    local serial
    for serial in d1 d2; do
        make_idevid "$PKI" "$serial"
        echo "$serial" >>"$PKI/devices.csv"
    done
    kill -HUP "$RELAY_PID"
    wait_for 20 grep -q '"msg":"reloaded"' "$PKI/relay.log"
    for serial in d1 d2; do
        ask_for "$serial"
        [ "$STATUS" = 200 ]
    done
    # Of five days, a third before the end: after three days and eight hours. All of it on one day.
    run_relay forecast --json >forecast.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/forecast.json" <forecast.json
    jq -e '([.renewals[].devices] | add) == 2 and (.renewals | length) == 30 and .overdue == 0' forecast.json
    [ "$(jq -r '.renewals[] | select(.devices == 2).day' forecast.json)" = "$(date -u +%F -d '+80 hours')" ]
    jq -e '.orders | .placed == 2 and .limit == 1000 and .renewalReserve == 200 and .renewals == 0' forecast.json
    jq -e '[.endings[].what] | any(contains("own certificate")) and any(contains("root"))' forecast.json
    jq -e '(.endings | map(.at) | . == sort) and .warnings == []' forecast.json
    run_relay forecast >screen
    clean screen
    grep -qE "^$(date -u +%F -d '+80 hours') +2  #+$" screen
    # Four days later they are overdue.
    clock_variables +4d
    env "${CLOCK_VARIABLES[@]}" est-relay forecast --config "$PKI/relay.toml" --json | jq -e '.overdue == 2'
    sed 's/^request = "2s"/&\norders_in_total = 1\nrenewal_reserve = 0/' "$PKI/relay.toml" >"$PKI/small.toml"
    FILE=small.toml run_relay forecast >screen
    grep -q '^warning: 2 devices renew on 20' screen
    grep -q '^warning: no order is placed now: orders_in_total' screen
    run --separate-stderr run_relay forecast --days 0
    [ "$status" = 64 ]
}

@test "OPR-14: forecast has the end of an authorization, also while no relay runs" {
    relay
    wait_for 30 eval 'curl -s "$RELAY_ADMIN/status" | jq -e ".issuer.authorizations[].expires" >/dev/null'
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    run_relay forecast --json >forecast.json
    jq -e '.endings[] | select(.what == "authorization of iot.domain.com") | .next | startswith("the relay renews it from 20")' forecast.json
}

@test "OPR-15: blocks lists what is blocked, and both relays block, unblock and revoke" {
    lone_relay
    [ -z "$(run_relay blocks 2>/dev/null)" ]
    run_relay block device0001 d2 2>/dev/null
    run_relay blocks --json >blocks.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/blocks.json" <blocks.json
    jq -e '[.blocks[].device] | sort == ["d2", "device0001"]' blocks.json
    run_relay blocks | grep -qE '^20.*Z  device0001$'
    run_relay unblock d2
    [ "$(run_relay blocks | wc -l)" = 1 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    PROGRAM=teap-relay FILE=teap.toml
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    on_postgresql "$PKI/teap.toml" teap-relay
    [ -n "${ACMETOOL_POSTGRESQL:-}" ] || run_relay blocks | grep -q device0001
    run_relay block device0009 2>/dev/null
    run_relay blocks | grep -q device0009
    run_relay revoke 0abc 2>/dev/null | grep -qx '0abc revoked'
}
