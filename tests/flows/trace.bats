#!/usr/bin/env bats
# The ladder of one relay's trace against the figures of the seed, arrow by arrow.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export RELAY_TRACE=$PWD/trace.jsonl
}

teardown() {
    stop_all
}

# arrows N: of the seed's figure in section N, as ladder.py prints them.
arrows() {
    local client=client server=ra
    [ "$1" != 3 ] || server=client
    if [ "$1" != 5 ]; then
        printf '%s\n' "$server acme POST /newAuthz" "acme $server 201" "$server dns Publish DNS TXT" \
            "$server acme POST /challenge" "acme dns Verify" "acme $server 200 status=valid" "$server dns Delete DNS TXT"
    else
        printf '%s\n' "$client ra POST /requestvoucher" "ra masa POST /requestvoucher" "masa ra 200" "ra $client 200"
    fi
    case $1 in
        4 | 5) printf '%s\n' "$client ra POST /simpleenroll" "ra $client 202" ;;
        6) printf '%s\n' "ra $client Identity" "$client ra Identity" "ra $client TEAP Start" "$client ra TLS ClientHello" \
            "ra $client TLS handshake" "$client ra TLS handshake" "ra $client {Crypto-Binding, Result}" \
            "$client ra {Crypto-Binding, Result}" "ra $client {Request-Action, PKCS#10}" "$client ra {PKCS#10}" ;;
    esac
    printf '%s\n' "$server acme POST /newOrder" "acme $server 201 status=ready" "$server acme POST /finalize" \
        "acme $server 200 status=valid" "$server acme POST /certificate" "acme $server 200"
    case $1 in
        4 | 5) printf '%s\n' "$client ra POST /simpleenroll" "ra $client 200" ;;
        6) printf '%s\n' "ra $client {PKCS#7, Result}" "$client ra {Result}" "ra $client EAP-Success" ;;
    esac
}

# drawn [OPTION...]: draws the trace into the file ladder, and its arrows into the file arrows.
drawn() {
    acme-trace show "$@" trace.jsonl >ladder
    cat ladder
    awk 'length > 60 { print "wider than 60 columns: " $0; bad = 1 } END { exit bad }' ladder
    "$ROOT/tests/lib/ladder.py" ladder >arrows
}

# same FIGURE: the file arrows has the arrows of the file FIGURE. A 202 and the order that it announces are sent by two
# threads: their order is free.
same() {
    diff <(grep client "$1") <(grep client arrows)
    diff <(grep -v client "$1") <(grep -v client arrows)
    if grep -q simpleenroll "$1"; then
        grep -v ' 202$' "$1" | diff - <(grep -v ' 202$' arrows)
    fi
}

@test "FLD-T1: the arrows that the tests below compare are those of the seed's figures" {
    local seed=${ACMETOOL_SHARED:-$ROOT/../shared}/spec/draft-friel-acme-integrations-01.txt section
    [ -e "$seed" ] || skip "no $seed; ACMETOOL_SHARED can name its place"
    for section in 3 4 5 6; do
        diff <(arrows "$section") <("$ROOT/tests/lib/ladder.py" "$seed" "$section")
    done
}

@test "FLD-T1, TRC-01b, TRC-02b: figures 3 and 4: est-relay's trace has pledge, relay, ACME and DNS, and the CA's look at the record" {
    PKI=$PWD/pki
    export RELAY_DOMAIN=domain.com
    make_pki "$PKI"
    make_idevid "$PKI" device0002
    echo device0002 >>"$PKI/devices.csv"
    start_authority
    write_relay_toml "$PKI" 'wait = "0s"' 'retry_after = "1s"'
    start_relay "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"
    is_issued() { est-relay status --config "$PKI/relay.toml" --json | jq -e ".orders.issued == $1"; }
    local number
    for number in 1 2; do
        make_csr "device000$number.domain.com" "dev$number.csr"
        est "device000$number" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@dev$number.csr"
        [ "$STATUS" = 202 ]
        wait_for 60 is_issued "$number"
        est "device000$number" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@dev$number.csr"
        [ "$STATUS" = 200 ]
        [ "$number" = 2 ] && break
        drawn
        arrows 4 >figure4
        same figure4
        # The same without the pledge is figure 3, in which the relay is the client.
        diff <(arrows 3 | sed 's/client/ra/') <(grep -v client arrows)
        [ "$(grep -c 'Verify (inferred)' ladder)" = 1 ]
        grep -A2 -F 'Verify (inferred)' ladder | grep -E -- '\|(- )+.*>\|'
        grep -F '| Client |' ladder | grep -F '| RA |' | grep -F '| ACME |' | grep -F '| DNS |'
        acme-trace show --json trace.jsonl >ladder.json
        "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/ladder.json" <ladder.json
        jq -e '[.messages[] | select(.inferred)] | length == 1 and .[0].label == "Verify" and .[0].from == "acme" and .[0].to == "dns"' ladder.json
    done
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/trace.json" <trace.jsonl
    # By the ID of any of its requests: both requests of the device, and its order; nothing of the other device.
    local id
    for id in $(jq -r 'select(.device // "" | contains("device0001")) | .request_id' trace.jsonl | sort -u); do
        drawn --request-id "$id"
        sed 1,7d figure4 >enrolment
        same enrolment
        ! grep -q device0002 ladder || return 1
    done
}

@test "FLD-T1, TRC-01a, TRC-01b: figure 5: est-relay's trace has the pledge's voucher-request, the MASA's answer, and the enrolment" {
    make_flow5
    start_authority
    start_masa "$MAKER"
    registrar
    cp pledgeid.pem pledgeid.key "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"
    brski-pledge sign-request "${PLEDGE[@]}" --registrar "$REGISTRAR" -o request.cms
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <request.cms >voucher.cms
    make_csr pledgeid.domain.com dev.csr
    est pledgeid simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 202 ]
    wait_for 60 eval 'est-relay status --config "$PKI/relay.toml" --json | jq -e ".orders.issued == 1"'
    est pledgeid simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 200 ]
    # The log's ID of the voucher is the MASA's in the trace, and any of the device's draws all of them.
    local id
    id=$(jq -r 'select(.event == "brski" and .text == "voucher received") | .request_id' "$PKI/relay.log")
    [ "$(jq -r 'select(.to == "masa") | .request_id' trace.jsonl | sort -u)" = "$id" ]
    arrows 5 >figure5
    for id in $(jq -r 'select(.to == "ra" and .from == "client") | .request_id' trace.jsonl); do
        drawn --request-id "$id"
        same figure5
    done
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/trace.json" <trace.jsonl
}

@test "FLD-T1, TRC-01b, FLD-U15: figure 6: teap-relay's trace has the conversation in the tunnel, the order and DNS; --show draws the same" {
    PKI=$PWD/pki
    export RELAY_DOMAIN=domain.com
    make_pki "$PKI"
    make_idevid "$PKI" pledgeid
    echo pledgeid >>"$PKI/devices.csv"
    start_authority
    write_teap_toml "$PKI"
    TEAP_TRACE=$RELAY_TRACE start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
    peer pledgeid --new-key ec:P-256 --key-out dev.key --tls-version 1.2 -v --show tlv,flow -o dev.pem 2>shown
    drawn
    arrows 6 >figure6
    diff figure6 arrows
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/trace.json" <trace.jsonl
    # A second conversation has another ID, but the same device.
    local id
    id=$(jq -r 'select(.event == "teap") | .request_id' "$TEAP_LOG")
    run peer stranger9999
    [ "$status" != 0 ]
    drawn --request-id "$id"
    diff <(sed 1,7d figure6) arrows

    # The peer draws its side as it goes, with the same name, each message once, and its TLVs below.
    awk 'length > 60 && !/^teap-enroll: / { print; bad = 1 } END { exit bad }' shown
    grep -F '| Client |' shown | grep -F '| TEAP server |'
    ! grep '^teap-enroll: [<>] ' shown || return 1
    [ "$(grep -c 'EAP-Response/Identity' shown)" = 1 ]
    grep -q 'PKCS#10 (16), [0-9]* octets: for pledgeid.domain.com' shown
}
