#!/usr/bin/env bats
# est-relay with Debian's Pebble as the CA, which knows no pre-authorization: each name is proved by itself.

load ../lib/common
load ../lib/pebble
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_pebble "$PWD/pebble" PEBBLE_AUTHZREUSE=0
    cat >hook <<EOF
#!/bin/sh
case "\$1" in
begin)
    curl -sf -d "{\"host\":\"\$ACMETOOL_FQDN.\",\"value\":\"\$5\"}" $PEBBLE_CHALLTEST/set-txt &&
        echo "\$3" >>"$PWD/hook.log"
    ;;
*) curl -sf -d "{\"host\":\"\$ACMETOOL_FQDN.\"}" $PEBBLE_CHALLTEST/clear-txt ;;
esac
EOF
    chmod +x hook
}

teardown() {
    stop_all
}

@test "INT-04b, INT-22a, INT-26a: a challenge for each name by a hook, and two devices have certificates" {
    PKI=$PWD/pki
    make_pki "$PKI"
    make_idevid "$PKI" device0002
    echo device0002 >>"$PKI/devices.csv"
    ACCOUNT=$PWD/acct.json CA_ROOT=$PWD/pebble-root.pem
    acme-account register -q --account "$ACCOUNT" --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos \
        --contact mailto:ops@example.org -o account.json
    curl -sf --cacert "$PEBBLE_CA" "$PEBBLE_MANAGEMENT/roots/0" >"$CA_ROOT"
    RELAY_DOMAIN=iot.example.org RELAY_DOMAIN_LINES='preauthorize = false'
    printf -v RELAY_DNS 'hook = "%s"\nno_check = true' "$PWD/hook"
    write_relay_toml "$PKI" 'wait = "0s"' 'retry_after = "1s"'
    start_relay "$PKI"
    local device
    for device in device0001 device0002; do
        est-enroll run --server "https://127.0.0.1:$RELAY_PORT" --explicit-ta "$PKI/tls-root.pem" --new-key auto \
            --cert "$PKI/$device.pem" --key "$PKI/$device.key" --key-out "$device.key" --save-cacerts cacerts.pem -o "$device.pem"
        openssl verify -CAfile cacerts.pem "$device.pem"
        openssl x509 -in "$device.pem" -noout -ext subjectAltName | grep -F "DNS:$device.iot.example.org"
    done
    [ "$(sort hook.log | xargs)" = "device0001.iot.example.org device0002.iot.example.org" ]
    [ "$(grep -c 'Issued certificate' "$PEBBLE_LOG")" = 2 ]
}
