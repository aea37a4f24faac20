#!/usr/bin/env bats
# Devices of a manufacturer whose certificates hold anything: at EST, at the registrar and its MASA, and at TEAP. What they
# hold becomes a label of DNS or nothing, and reaches no log, issuer, file or terminal as it is.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/relay
load ../lib/est
load ../lib/brski
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_flow5
    no_ca
    # What the issuer is asked for: one name a line.
    cat >"$PKI/issue" <<EOF
#!/bin/sh
cat >"\$\$.csr"
openssl req -in "\$\$.csr" -noout -text | grep -o 'DNS:.*' >>"$PWD/ordered"
exec openssl x509 -req -in "\$\$.csr" -CA "$PKI/tls-root.pem" -CAkey "$PKI/tls-root.key" -days 5 -copy_extensions copy 2>/dev/null
EOF
    openssl ecparam -name prime256v1 -genkey -noout -out device.key
    : >ordered
}

teardown() {
    stop_all
}

# odd_devices CERTIFICATE KEY: NAMES, with a certificate and the key for each in PKI/odd.
odd_devices() {
    mapfile -t NAMES < <(python3 "$ROOT/tests/lib/odd_maker.py" "$1" "$2" device.key "$PKI/odd")
    ((${#NAMES[@]} > 70))
    local name
    for name in "${NAMES[@]}"; do cp device.key "$PKI/odd/$name.key"; done
}

# answered STATUS NAME: one that is documented, or the TLS handshake ended.
answered() {
    [[ $1 =~ ^(000|200|202|204|400|401|403|404|409|413|429)$ ]] || { echo "$2: $1" && false; }
}

# orders_are_labels: what the issuer was asked for is names of devices.
orders_are_labels() {
    if grep -vxE 'DNS:[a-z0-9-]{1,63}\.domain\.com' ordered; then return 1; fi
    [ ! -e touched ]
}

# log_is_clean FILE: a JSON object on each line, and nothing else.
log_is_clean() {
    clean "$1"
    jq -e 'type == "object"' "$1" >/dev/null
    if grep -E '"status":5[0-9][0-9]' "$1"; then return 1; fi
}

@test "SEC-10, SEC-01: whatever a device's certificate holds, est-relay makes a label of it or refuses it" {
    odd_devices "$PKI/maker.pem" "$PKI/maker.key"
    RELAY_DOMAIN=domain.com write_relay_toml "$PKI" 'wait = "20s"'
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d; s|^inventory.*|accept_any = true|" "$PKI/relay.toml"
    start_relay "$PKI"
    local name host accepted=0
    for name in "${NAMES[@]}"; do
        : >"$PKI/body"
        est "odd/$name" csrattrs || true
        # shellcheck disable=SC2153 # of est()
        answered "$STATUS" "$name"
        [[ $STATUS == 200 ]] || continue
        host=$(openssl base64 -d -in "$PKI/body" | LC_ALL=C grep -aoE '[a-z0-9-]+\.domain\.com' | sort -u)
        [[ $host =~ ^[a-z0-9-]{1,63}\.domain\.com$ ]] || { echo "$name: $host" && false; }
        accepted=$((accepted + 1))
        make_csr "$host" "$name.csr" device.key
        est "odd/$name" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@$name.csr"
        answered "$STATUS" "$name"
    done
    ((accepted > 20))
    [ -s ordered ]
    orders_are_labels
    make_csr stranger9999.domain.com good.csr
    enrol stranger9999 simpleenroll good.csr
    [ "$STATUS" = 200 ]
    log_is_clean "$PKI/relay.log"
    est-relay status --config "$PKI/relay.toml" >status.text
    est-relay status --config "$PKI/relay.toml" --json >status.json
    curl -s "$RELAY_ADMIN/metrics" >metrics
    clean status.text status.json metrics
}

@test "SEC-10: registrar, MASA and pledge take such devices for what they are, or refuse them" {
    odd_devices "$MAKER/vendor.pem" "$MAKER/vendor.key"
    start_masa "$MAKER"
    registrar 'wait = "5s"'
    sed -i 's|^inventory.*|accept_any = true|' "$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q reloaded "$PKI/relay.log"
    local name status
    for name in "${NAMES[@]}"; do
        rm -f request
        status=0
        brski-pledge sign-request --idevid "$PKI/odd/$name.pem" --key device.key --registrar-cert "$PKI/ra.pem" \
            -o request 2>told || status=$?
        [[ $status =~ ^(0|65|77|78)$ ]] || { echo "$name: $status" && cat told && false; }
        clean told
        [[ $status == 0 ]] || echo junk >request
        CERT="$PKI/odd/$name" ask request || true
        answered "$STATUS" "$name"
        [[ $STATUS == 200 ]] || clean answer
    done
    request good
    is_answered() { ask good && [ "$STATUS" != 202 ]; }
    wait_for 20 is_answered
    [ "$STATUS" = 200 ]
    log_is_clean "$PKI/relay.log"
    clean "$MAKER/masa.log"
    # The MASA knows each device by the serial number that its certificate has.
    est-relay status --config "$PKI/relay.toml" --json >status.json
    est-relay status --config "$PKI/relay.toml" >status.text
    clean status.json status.text
}

@test "SEC-10, TEAP-03: teap-relay and teap-enroll likewise" {
    odd_devices "$PKI/maker.pem" "$PKI/maker.key"
    write_teap_toml "$PKI"
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d; s|^inventory.*|accept_any = true|" "$PKI/teap.toml"
    start_teap "$PKI"
    local name status
    for name in nul newline escape c1 bad-utf8 utf16-control twice none nobody shell json module-binary san-nul san-junk serial-long \
        serial-empty version-1 expired no-date critical; do
        rm -f new.key new.pem
        status=0
        peer "odd/$name" --new-key ec:P-256 --key-out new.key -o new.pem -vv >told 2>&1 || status=$?
        [[ $status =~ ^(0|65|76|77|78)$ ]] || { echo "$name: $status" && cat told && false; }
        clean told
    done
    orders_are_labels
    peer stranger9999 --new-key ec:P-256 --key-out good.key -o good.pem
    log_is_clean "$TEAP_LOG"
}

@test "SEC-10, BRP-02e: a TLS server with such a certificate: no client trusts it, or shows anything of it raw" {
    odd_devices "$MAKER/vendor.pem" "$MAKER/vendor.key"
    cp "$MAKER/vendor.pem" ca.pem
    cp "$MAKER/vendor.key" ca.key
    cp ca.pem foreign.pem
    local name status command
    for name in escape c1 nul unicode san-control masa-escape; do
        start_est "est-$name" "$PKI/odd/$name"
        rules '{}'
        for command in "est-enroll cacerts --server $EST_URL --ca-file ca.pem" \
            "acme-account register --directory $EST_URL/directory --ca-file ca.pem" \
            "brski-pledge run --registrar $EST_URL --idevid pledgeid.pem --key pledgeid.key --manufacturer-ta ca.pem --key-out new.key"; do
            status=0
            # shellcheck disable=SC2086 # words
            timeout 120 $command -vv --json >out 2>told || status=$?
            [[ $status =~ ^(65|69|76|77)$ ]] || { echo "$name: $command: $status" && cat -v out told && false; }
            clean out told
            # A pledge trusts no certificate without a voucher; the others end with the handshake.
            [[ $command == brski-pledge* ]] || grep -q '"code": "tls' out || { echo "$name: $command" && cat -v out && false; }
        done
    done
}
