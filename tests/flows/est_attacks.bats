#!/usr/bin/env bats
# What devices, strangers and other customers of the CA try at est-relay. Each refusal has the right status, a sentence
# for people, and costs the CA nothing.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    local device
    for device in device0002 device0003; do
        make_idevid "$PKI" "$device"
        echo "$device" >>"$PKI/devices.csv"
    done
    start_authority
}

teardown() {
    stop_all
}

# Once the domain is authorized nothing but orders makes requests to the CA.
relay() {
    write_relay_toml "$PKI" 'wait = "20s"'
    start_relay "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"
    SEEN=$(wc -l <"$CA_LOG")
}

quiet() { # nothing was asked of the CA since the relay was ready
    [ "$(wc -l <"$CA_LOG")" = "$SEEN" ]
}

# refused STATUS WORDS: of the answer that came last; the body is a sentence, which is in the log with 401, and the CA
# was left alone.
refused() {
    cat "$PKI/body"
    [[ ${STATUS:?} =~ ^$1$ ]]
    if [[ $STATUS == 401 ]]; then
        [ ! -s "$PKI/body" ]
        tail -n 1 "$PKI/relay.log" | grep '"status":401' | grep -qE "$2"
        quiet
        return
    fi
    grep -qi '^content-type: text/plain' "$PKI/headers"
    grep -qE "$2" "$PKI/body"
    grep -qE '[a-z]+ [a-z]+' "$PKI/body"
    [ "$(wc -l <"$PKI/body")" -le 1 ]
    quiet
}

post() { # DEVICE FILE [CURL OPTION...]
    local device=$1 file=$2
    shift 2
    est "$device" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@$file" "$@"
}

@test "SEC-01: devices that are not in the inventory, and of another maker: refused, and no request to the CA" {
    relay
    make_csr stranger9999.iot.domain.com dev.csr
    post stranger9999 dev.csr
    refused 403 'stranger9999 is not in the inventory'
    # Another maker's device with a serial number that we know.
    make_new_pki other
    cp other/device0001.pem "$PKI/copycat.pem"
    cp other/device0001.key "$PKI/copycat.key"
    make_csr device0001.iot.domain.com dev.csr
    post copycat dev.csr
    refused 401 "was issued neither by a known manufacturer nor by this relay"
    # A certificate that the device signed for itself.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/self.key" -out "$PKI/self.pem" \
        -subj /O=Maker/serialNumber=device0001 -days 2 2>/dev/null
    post self dev.csr
    refused 401 'issued neither by a known'
}

@test "SEC-02: a certificate that the same CA issued to another account is no identity" {
    relay
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos --account other.json -o account.json
    acme-preauth run --account other.json --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    csr-build --new-key ec:P-256 --key-out "$PKI/foreign.key" --dns device0001.iot.domain.com |
        acme-order run --account other.json -o "$PKI/foreign.pem"
    SEEN=$(wc -l <"$CA_LOG")
    make_csr device0001.iot.domain.com dev.csr "$PKI/foreign.key"
    post foreign dev.csr
    refused 401 "nor by this relay"
    est foreign simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    refused 401 "nor by this relay"
}

@test "SEC-03: three devices and three names: each gets its own and none of the others'" {
    relay
    local device name
    for device in device0001 device0002 device0003; do
        for name in device0001 device0002 device0003; do
            [[ $device == "$name" ]] && continue
            make_csr "$name.iot.domain.com" "$name.csr"
            post "$device" "$name.csr"
            refused 403 "the request is for $name.iot.domain.com, but this device's name is $device"
        done
    done
    # Its own name and another one beside it.
    csr-build --new-key ec:P-256 --key-out both.key --dns device0001.iot.domain.com --dns device0002.iot.domain.com |
        openssl req -outform DER | openssl base64 >both.csr
    post device0001 both.csr
    refused 403 'device0002'
    # Who shows no identity is told no name.
    est - csrattrs
    refused 401 .
    sed -i '/clients.basic/,/^file/d' "$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$PKI/relay.log"
    est - csrattrs
    [[ $STATUS == 20[04] ]]
    run grep -aE 'device|domain' <(openssl base64 -d -in "$PKI/body")
    [ -z "$output" ]
    quiet
    for device in device0001 device0002 device0003; do
        make_csr "$device.iot.domain.com" "$device.csr"
        post "$device" "$device.csr"
        [ "$STATUS" = 200 ]
    done
    [ "$(requests newOrder)" = 3 ]
    # The certificate of one is no way to the name of another either.
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/ldevid.pem"
    cp device0003.csr.key "$PKI/ldevid.key"
    SEEN=$(wc -l <"$CA_LOG")
    est ldevid simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @device0001.csr
    refused 403 'the certificate is for device0003'
}

@test "SEC-04: revoked: no identity, no cached certificate, no new one for its key, at once" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    post device0001 dev.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/ldevid.pem"
    cp dev.csr.key "$PKI/ldevid.key"
    est ldevid csrattrs
    [ "$STATUS" = 200 ]
    SEEN=$(wc -l <"$CA_LOG")

    # The serial number as openssl prints it: upper case.
    run est-relay revoke --config "$PKI/relay.toml" "$(openssl x509 -in "$PKI/ldevid.pem" -noout -serial | cut -d = -f 2)"
    [ "$status" = 0 ]
    [[ $output == *"revoked: issued to device0001@"* ]]
    make_csr device0001.iot.domain.com again.csr dev.csr.key
    est ldevid simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @again.csr
    refused 403 'the certificate was revoked'
    post ldevid dev.csr
    refused 403 'the certificate was revoked'
    post device0001 dev.csr
    refused 403 'a certificate for this key was revoked: create a new key'
    # A new key under its IDevID is a new beginning.
    make_csr device0001.iot.domain.com fresh.csr
    post device0001 fresh.csr
    [ "$STATUS" = 200 ]

    run --separate-stderr est-relay revoke --config "$PKI/relay.toml" --json 0x00AB:cd
    [ "$status" = 0 ]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/exclusion.json" <<<"$output"
    [ "$(jq -c .revoked <<<"$output")" = '[{"serial":"abcd"}]' ]
    run est-relay revoke --config "$PKI/relay.toml" device0001
    [ "$status" = 65 ]
}

@test "SEC-04: blocked: refused on a connection that stands, with a new one and with its certificate; then taken again" {
    only_sqlite
    relay
    make_csr device0001.iot.domain.com dev.csr
    post device0001 dev.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/ldevid.pem"
    cp dev.csr.key "$PKI/ldevid.key"
    # One connection: a request before, one after.
    rm -f input && mkfifo input
    timeout 60 openssl s_client -quiet -connect "127.0.0.1:$RELAY_PORT" -CAfile "$PKI/tls-root.pem" \
        -cert "$PKI/device0001.pem" -key "$PKI/device0001.key" <input >standing 2>/dev/null 3>&- &
    exec 7>input
    printf 'GET /.well-known/est/csrattrs HTTP/1.1\r\nHost: localhost\r\n\r\n' >&7
    wait_for 20 grep -q 'HTTP/1.1 200' standing
    SEEN=$(wc -l <"$CA_LOG")

    [ "$(est-relay block --config "$PKI/relay.toml" device0001)" = "device0001 blocked" ]
    printf 'POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' \
        "$(stat -c %s dev.csr)" >&7
    cat dev.csr >&7
    wait_for 20 grep -q 'HTTP/1.1 403' standing
    exec 7>&-
    wait_for 10 grep -q 'the device is blocked' standing
    post device0001 dev.csr
    refused 403 'the device is blocked'
    est ldevid simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    refused 403 'the device is blocked'
    # Another one is not.
    est device0002 csrattrs
    [ "$STATUS" = 200 ]

    # It lasts over a restart.
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    start_relay "$PKI"
    post device0001 dev.csr
    [ "$STATUS" = 403 ]
    [ "$(est-relay unblock --config "$PKI/relay.toml" --json device0001 | jq -c .unblocked)" = '["device0001"]' ]
    post device0001 dev.csr
    [ "$STATUS" = 200 ]

    sed -i 's/^\[est\]/[store]\nsqlite = "other.db"\n[est]/' "$PKI/relay.toml"
    run est-relay block --config "$PKI/relay.toml" device0001
    [ "$status" = 78 ]
    [ ! -e "$PKI/other.db" ]
}

@test "SEC-19: a revoked key in another encoding is found, and explicit parameters are refused" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    post device0001 dev.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/ldevid.pem"
    est-relay revoke --config "$PKI/relay.toml" "$(openssl x509 -in "$PKI/ldevid.pem" -noout -serial | cut -d = -f 2)"
    SEEN=$(wc -l <"$CA_LOG")
    local form
    for form in '-conv_form compressed' '-param_enc explicit'; do
        # shellcheck disable=SC2086
        openssl ec -in dev.csr.key $form -out odd.key 2>/dev/null
        make_csr device0001.iot.domain.com odd.csr odd.key
        ! cmp -s <(openssl base64 -d -in odd.csr | openssl req -inform DER -noout -pubkey) \
            <(openssl base64 -d -in dev.csr | openssl req -inform DER -noout -pubkey) || return 1
        post device0001 odd.csr
        refused 403 'a certificate for this key was revoked'
    done
    openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit -out explicit.key
    make_csr device0001.iot.domain.com odd.csr explicit.key
    post device0001 odd.csr
    refused 400 'explicit curve parameters'
    # A compressed point alone is nothing bad.
    openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed -out compressed.key
    make_csr device0001.iot.domain.com odd.csr compressed.key
    post device0001 odd.csr
    [ "$STATUS" = 200 ]
}

# make_twin DIR: another manufacturer with the same CA name and the same device, device0001, as "twin".
make_twin() {
    make_new_pki "$1"
    cp "$1/maker.pem" "$PKI/twin-maker.pem"
    cp "$1/device0001.pem" "$PKI/twin.pem"
    cp "$1/device0001.key" "$PKI/twin.key"
}

reload() {
    local before
    before=$(grep -c '"msg":"reloaded"' "$PKI/relay.log" || true)
    kill -HUP "$RELAY_PID"
    wait_for 10 bash -c "[ \$(grep -c '\"msg\":\"reloaded\"' '$PKI/relay.log') -gt $before ]"
}

@test "SEC-20: two makers with one CA name and one serial number are two devices, and the inventory says whose it is" {
    make_twin other
    relay
    make_csr device0001.iot.domain.com dev.csr
    make_csr device0001.iot.domain.com twin.csr
    sed -i 's/^trust = .*/trust = ["maker.pem", "twin-maker.pem"]/' "$PKI/relay.toml"
    reload
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *'warn  clients.idevid: 3 entries of the inventory name no manufacturer'* ]]
    post device0001 dev.csr
    [ "$STATUS" = 200 ]
    SEEN=$(wc -l <"$CA_LOG")
    post twin twin.csr
    refused 403 'another manufacturer'
    [ "$(grep -o '"device":"device0001@[0-9a-f]\{64\}"' "$PKI/relay.log" | sort -u | wc -l)" = 2 ]

    # The operator says that it is the twin's; the name becomes its own.
    sed -i 's/^trust = .*/trust = []/; s/^\[clients.basic\]/[clients.idevid.first]\ntrust = ["maker.pem"]\n[clients.idevid.twins]\ntrust = ["twin-maker.pem"]\n&/' \
        "$PKI/relay.toml"
    printf '%s\n' device0001@twins device0002@first device0003@first >"$PKI/devices.csv"
    run est-relay check --config "$PKI/relay.toml"
    [[ $output != *'name no manufacturer'* ]]
    reload
    post device0001 dev.csr
    refused 403 'the inventory has serial number device0001 of another manufacturer'
    post twin twin.csr
    [ "$STATUS" = 200 ]
    grep -q '"device":"device0001@[0-9a-f]\{64\}".*"manufacturer":"twins"' "$PKI/relay.log"
    SEEN=$(wc -l <"$CA_LOG")
    [ "$(est-relay block --config "$PKI/relay.toml" device0001@twins)" = "device0001@twins blocked" ]
    post twin twin.csr
    refused 403 'the device is blocked'
    run est-relay block --config "$PKI/relay.toml" device0001@twinz
    [ "$status" = 65 ]
    [[ $output == *'no manufacturer has the name twinz'* ]]
    # A mistyped name in the inventory is told.
    echo device0009@twinz >>"$PKI/devices.csv"
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *'warn  clients.idevid: device0009@twinz in the inventory ends in the name of no manufacturer'* ]]
}

@test "SEC-21: with CMC errors nothing is signed for an unknown client, whatever it sends; BER is no request" {
    write_relay_toml "$PKI" 'wait = "20s"' 'error_format = "cmc"'
    start_relay "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"
    SEEN=$(wc -l <"$CA_LOG")
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/self.key" -out "$PKI/self.pem" \
        -subj /O=Maker/serialNumber=device0001 -days 2 2>/dev/null
    make_csr device0001.iot.domain.com good.csr
    make_csr www.example.com foreign.csr
    # The same request in BER: the outer SEQUENCE in the indefinite form.
    openssl base64 -d -in good.csr >good.der
    python3 - <<'END'
import base64
der = open("good.der", "rb").read()
head = 2 + (der[1] & 0x7f if der[1] >= 0x80 else 0)
open("ber.csr", "wb").write(base64.encodebytes(b"\x30\x80" + der[head:] + b"\0\0"))
END
    post self good.csr
    refused 401 'nor by this relay'
    post self foreign.csr
    refused 401 'nor by this relay'
    post self ber.csr
    refused 400 'not in DER'
    post device0001 ber.csr
    refused 400 'not in DER'
    # Who is known gets a signed refusal.
    post device0001 foreign.csr
    [ "$STATUS" = 403 ]
    grep -qi '^content-type: application/pkcs7-mime; smime-type=CMC-response' "$PKI/headers"
    quiet
}

@test "SEC-07: one device with a fresh request each time is stopped by its budget while another enrols" {
    RELAY_LIMITS='orders_per_device = 3'
    relay
    local i
    for i in 1 2 3; do
        make_csr device0001.iot.domain.com "dev$i.csr"
        post device0001 "dev$i.csr"
        [ "$STATUS" = 200 ]
    done
    SEEN=$(wc -l <"$CA_LOG")
    for i in 4 5 6; do
        make_csr device0001.iot.domain.com "dev$i.csr"
        post device0001 "dev$i.csr"
        refused 429 .
        grep -qi '^retry-after: [0-9]' "$PKI/headers"
    done
    # What it has it may ask for as often as it likes.
    post device0001 dev1.csr
    [ "$STATUS" = 200 ]
    quiet
    make_csr device0002.iot.domain.com other.csr
    post device0002 other.csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 4 ]
}

@test "INT-01a, ESTS-06b: bodies, keys and names that cannot be certified" {
    relay
    local body
    for body in 'bm90IGEgQ1NS' 'MIIBAAAA' '{"csr": 1}' '====' 'MAA='; do
        printf '%s' "$body" >body.csr
        post device0001 body.csr
        refused 400 .
    done
    # Each tenth octet of a good request changed: none of them comes through.
    make_csr device0001.iot.domain.com dev.csr
    openssl base64 -d -in dev.csr >dev.der
    local at size
    size=$(stat -c %s dev.der)
    for ((at = 0; at < size; at += 10)); do
        python3 -c 'import sys; d = bytearray(open("dev.der", "rb").read()); d[int(sys.argv[1])] ^= 0x21; sys.stdout.buffer.write(d)' "$at" |
            openssl base64 >broken.csr
        post device0001 broken.csr
        refused 400 .
    done
    head -c 150 dev.der | openssl base64 >broken.csr
    post device0001 broken.csr
    refused 400 .
    # The signature is of another key.
    python3 -c 'import sys; d = bytearray(open("dev.der", "rb").read()); d[-1] ^= 1; sys.stdout.buffer.write(d)' | openssl base64 >broken.csr
    post device0001 broken.csr
    refused 400 signature
    openssl genrsa -out weak.key 1024 2>/dev/null
    make_csr device0001.iot.domain.com weak.csr weak.key
    post device0001 weak.csr
    refused 400 1024
    local name
    for name in www.example.com iot.domain.com domain.com '*.iot.domain.com' device0001.iot.domain.com.evil.example \
        xdevice0001.iot.domain.com a.device0001.iot.domain.com; do
        rm -f names.csr
        make_csr "$name" names.csr names.key
        post device0001 names.csr
        refused '40[03]' .
    done
}

@test "SEC-16: wrong passwords: 401 at once without a user file; else a limit for an address, and others go on" {
    relay
    make_csr device0007.iot.domain.com user.csr
    # On one connection, so that a slow machine does not take a second for each.
    local urls=() i user
    for i in $(seq 12); do urls+=("$RELAY/simpleenroll?$i"); done
    for user in swan nobody; do
        curl -s --max-time 60 --cacert "$PKI/tls-root.pem" -u "$user:wrong" -H 'Content-Type: application/pkcs10' \
            --data-binary @user.csr -D "$PKI/headers" -w '\n%{http_code}' "${urls[@]}" >>codes
    done
    grep -qx 401 codes
    [ "$(tail -n 1 codes)" = 429 ]
    grep -qi '^retry-after: [1-9]' "$PKI/headers"
    curl -s --max-time 60 --cacert "$PKI/tls-root.pem" -u swan:wrong -w '\n%{http_code}' \
        "${urls[@]//simpleenroll/csrattrs}" "${urls[@]//simpleenroll/csrattrs}" >>codes
    [ "$(tail -n 1 codes)" = 429 ]
    quiet
    post - user.csr -u swan:secret --interface 127.0.0.2 # another address of this host
    [ "$STATUS" = 200 ]
    sed -i '/clients.basic/,/^file/d' "$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$PKI/relay.log"
    SEEN=$(wc -l <"$CA_LOG")
    for i in $(seq 60); do
        post - user.csr -u "swan:wrong$i"
        refused 401 .
    done
    est - csrattrs -u swan:wrong
    refused 401 .
}

@test "SEC-17: a client certificate or a request with a key of more than 4096 bits is not looked at" {
    relay
    openssl req -x509 -newkey rsa:4224 -nodes -keyout "$PKI/large.key" -out "$PKI/large.pem" -subj /CN=large 2>/dev/null
    run curl -s --cacert "$PKI/tls-root.pem" --cert "$PKI/large.pem" --key "$PKI/large.key" -o /dev/null "$RELAY/cacerts"
    [ "$status" -ne 0 ]
    make_csr device0001.iot.domain.com large.csr "$PKI/large.key"
    post device0001 large.csr
    refused 400 .
    grep -q 'too large' "$PKI/body"
}

@test "SEC-29: the database moved, replaced or removed under the relay: no decision, readyz says why, block does not say done" {
    only_sqlite
    relay
    make_csr device0001.iot.domain.com dev.csr
    post device0001 dev.csr
    [ "$STATUS" = 200 ]
    SEEN=$(wc -l <"$CA_LOG")
    local db=$PKI/relay.db
    cp "$db" backup.db
    [ "$(curl -s -o ready -w '%{http_code}' "$RELAY_ADMIN/readyz")" = 200 ]
    for what in moved replaced; do
        [ "$what" = replaced ] || mv "$db" away.db
        [ "$what" = moved ] || cp backup.db "$db"
        [ "$(curl -s -o ready -w '%{http_code}' "$RELAY_ADMIN/readyz")" = 503 ]
        grep -q 'relay.db was re' ready
        post device0001 dev.csr
        refused 503 'store is not available'
        grep -qi '^retry-after: [1-9]' "$PKI/headers"
        est device0001 csrattrs
        refused 503 .
        run est-relay block --config "$PKI/relay.toml" device0001
        [ "$status" = 69 ]
        [[ $output != *'device0001 blocked'* ]]
    done
    run est-relay revoke --config "$PKI/relay.toml" 01
    [ "$status" = 69 ]
    [[ $output == *"process $RELAY_PID"* ]]
    run est-relay check --config "$PKI/relay.toml"
    [[ $output == *'fail  store: '* ]]

    # Back in its place it goes on, by itself; what is said then is seen.
    mv away.db "$db"
    est-relay block --config "$PKI/relay.toml" device0001
    wait_for 10 curl -sf "$RELAY_ADMIN/readyz"
    post device0001 dev.csr
    refused 403 'the device is blocked'

    rm "$db"
    post device0001 dev.csr
    refused 503 .
    kill "$RELAY_PID"
    wait "$RELAY_PID"
}

@test "ESTS-01b, ESTS-05b, ESTS-05c: wrong type, method, size and password" {
    relay
    make_csr device0001.iot.domain.com dev.csr
    est device0001 simpleenroll -H 'Content-Type: application/json' --data-binary @dev.csr
    refused 415 .
    est device0001 simpleenroll -X PUT -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    refused 405 .
    est device0001 cacerts -d x
    refused 405 .
    head -c 70000 /dev/zero | openssl base64 >big.csr
    post device0001 big.csr
    refused 413 .
    post device0001 dev.csr -H "X-Long: $(head -c 20000 /dev/zero | tr '\0' x)"
    refused 431 .
    make_csr device0007.iot.domain.com user.csr
    post - user.csr
    refused 401 .
    post - user.csr -u swan:hunter2
    refused 401 .
    grep -qi '^www-authenticate: basic' "$PKI/headers"
    post - user.csr -u nobody:secret
    refused 401 .
    post - dev.csr -u swan:secret
    refused 403 device0001
    post - user.csr -u swan:secret
    [ "$STATUS" = 200 ]
    run grep -E 'secret|hunter2|c3dhbjp' "$PKI/relay.log"
    [ -z "$output" ]
    # Without TLS nobody is asked for a password, and none is taken.
    run curl -s --max-time 20 -u swan:secret -o plain -w '%{http_code}' -H 'Content-Type: application/pkcs10' \
        --data-binary @user.csr "http://127.0.0.1:$RELAY_PORT/.well-known/est/simpleenroll"
    [ "$status" != 0 ]
    [ ! -s plain ]
}

# greedy: each request that asks for more than is certified, in greedy.N and the words of its refusal in WORDS[N].
greedy() {
    local san=subjectAltName=DNS:device0001.iot.domain.com number=0 subject words
    WORDS=()
    make_key greedy.key
    while IFS='|' read -r words subject extensions; do
        local options=()
        for extension in $extensions; do options+=(-addext "$extension"); done
        openssl req -new -key greedy.key -subj "$subject" -addext "$san" "${options[@]}" -outform DER -out greedy.der
        openssl base64 -in greedy.der -out "greedy.$number"
        WORDS+=("$words")
        number=$((number + 1))
    done <<'END'
CA:TRUE|/|basicConstraints=critical,CA:TRUE keyUsage=keyCertSign,cRLSign
keyCertSign, cRLSign|/|keyUsage=digitalSignature,keyCertSign,cRLSign
1.3.6.1.5.5.7.3.28|/|extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28
codeSigning|/|extendedKeyUsage=codeSigning
tlsfeature|/|tlsfeature=status_request
more than once|/CN=device0001.iot.domain.com/CN=admin|
serialNumber ADMIN-1|/CN=device0001.iot.domain.com/serialNumber=ADMIN-1|
O \(2.5.4.10\)|/O=Admins|
OU \(2.5.4.11\)|/CN=device0001.iot.domain.com/OU=Admins|
emailAddress|/emailAddress=root@domain.com|
END
}

@test "SEC-14, ESTS-24a, ESTS-24b: a request for more than is certified is refused by its name before a program or the CA hears of it" {
    only_sqlite
    local number issuer
    make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
    greedy
    [ "${#WORDS[@]}" = 10 ]
    cat >"$PKI/issue" <<END
#!/bin/sh
echo called >>"$PKI/called"
exec openssl x509 -req -in /dev/stdin -CA "$PKI/tls-root.pem" -CAkey "$PKI/tls-root.key" -days 5 -copy_extensions copyall
END
    chmod +x "$PKI/issue"
    for issuer in program acme; do
        if [ "$issuer" = program ]; then
            CA_ROOT=$PKI/tls-root.pem write_relay_toml "$PKI" 'wait = "20s"'
            sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/relay.toml"
            start_relay "$PKI"
            SEEN=$(wc -l <"$CA_LOG")
        else
            rm -f "$PKI"/relay.db*
            relay
        fi
        for number in "${!WORDS[@]}"; do
            post device0001 "greedy.$number"
            refused 400 "${WORDS[number]}"
        done
        [ ! -e "$PKI/called" ]
        # What devices may ask for is issued.
        openssl req -new -key greedy.key -subj /CN=device0001.iot.domain.com/serialNumber=device0001 \
            -addext subjectAltName=DNS:device0001.iot.domain.com -addext basicConstraints=CA:FALSE \
            -addext keyUsage=digitalSignature,keyEncipherment -addext extendedKeyUsage=clientAuth,serverAuth \
            -addext subjectKeyIdentifier=hash -outform DER -out modest.der
        openssl base64 -in modest.der -out modest
        post device0001 modest
        [ "$STATUS" = 200 ] || { cat "$PKI/body" && false; }
        [ "$issuer" = acme ] || [ -e "$PKI/called" ]
        rm -f "$PKI/called"
        kill "$RELAY_PID"
        wait "$RELAY_PID" || true
    done
}
