# A manufacturer with its MASA, and a relay that is its devices' registrar. Needs common.bash, ca.bash, relay.bash.

# make_registrar_tls DIR: ra.pem and ra.key anew, good for a registrar (id-kp-cmcRA), under tls-root.pem.
make_registrar_tls() {
    local dir=$1
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28\nsubjectKeyIdentifier=hash\n' \
        >"$dir/ra.extensions"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/ra.key" -subj "/CN=registrar" 2>/dev/null |
        openssl x509 -req -CA "$dir/tls-root.pem" -CAkey "$dir/tls-root.key" -days 30 -out "$dir/ra.pem" \
            -extfile "$dir/ra.extensions" 2>/dev/null
}

# start_masa DIR [OPTION...]: sets MASA (HOST:PORT), MASA_PID; keys in DIR. MASA_PORT is kept once it is set.
start_masa() {
    local dir=$1
    shift
    : "${MASA_PORT:=$(free_port)}"
    mkdir -p "$dir"
    : >"$dir/ready"
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS brski-masa serve --dir "$dir" --listen "127.0.0.1:$MASA_PORT" "$@" \
        >"$dir/ready" 2>>"$dir/masa.log" &
    MASA_PID=$!
    STARTED+=("$MASA_PID")
    wait_for 20 contains "$dir/ready" ready || { cat "$dir/masa.log" >&2; return 1; }
    MASA="127.0.0.1:$MASA_PORT"
    export MASA
}

# make_pledge DIR SERIAL [MASA URL]: SERIAL.pem and SERIAL.key here, a device of the manufacturer in DIR.
make_pledge() {
    : "${MASA_PORT:=$(free_port)}"
    brski-masa make-idevid --dir "$1" --serial "$2" --masa-url "${3:-127.0.0.1:$MASA_PORT}" --key-out "$2.key" -o "$2.pem"
}

# write_brski_teap DIR MASA_DIR [LINE...]: teap-relay's configuration in DIR with that manufacturer; LINEs go into [teap].
# Needs teap.bash, too.
write_brski_teap() {
    local dir=$1 masa=$2
    shift 2
    write_teap_toml "$dir" "$@"
    sed -i "s|^trust = .*|trust = [\"$masa/vendor.pem\"]|" "$dir/teap.toml"
    cat >>"$dir/teap.toml" <<EOF
[brski]
retry_after = "1s"
[[manufacturer]]
name = "lab"
trust = ["$masa/vendor.pem"]
masa_hosts = ["127.0.0.1:$MASA_PORT"]
masa_ca = "$masa/vendor.pem"
private_addresses = true
EOF
}

# write_brski DIR MASA_DIR [LINE...]: the relay's configuration in DIR with that manufacturer; LINEs go into [brski]. Without
# "wait" among them, a pledge waits longer for its answer than by default: a busy machine takes its time.
write_brski() {
    local dir=$1 masa=$2
    shift 2
    [[ $* == *'wait = '* ]] || set -- 'wait = "20s"' "$@"
    write_relay_toml "$dir" 'wait = "0s"' 'retry_after = "1s"'
    sed -i "s|^trust = .*|trust = [\"$masa/vendor.pem\"]|" "$dir/relay.toml"
    cat >>"$dir/relay.toml" <<EOF
[brski]
retry_after = "1s"
$(printf '%s\n' "$@")
[[manufacturer]]
name = "lab"
trust = ["$masa/vendor.pem"]
masa_hosts = ["127.0.0.1:$MASA_PORT"]
masa_ca = "$masa/vendor.pem"
private_addresses = ${BRSKI_PRIVATE:-true}
EOF
}

# make_flow5: the pledge pledgeid of the manufacturer in MAKER, PLEDGE its options, and a registrar's files in PKI.
make_flow5() {
    PKI=$PWD/pki
    MAKER=$PWD/masa
    make_pki "$PKI"
    make_registrar_tls "$PKI"
    echo pledgeid >>"$PKI/devices.csv"
    export RELAY_DOMAIN=domain.com
    make_pledge "$MAKER" pledgeid
    PLEDGE=(--idevid pledgeid.pem --key pledgeid.key)
}

# no_ca: a registrar with a program as its issuer, for tests that are not about ACME.
no_ca() {
    CA_ROOT=$PKI/tls-root.pem
    ACCOUNT=none
    cat >"$PKI/issue" <<EOF
#!/bin/sh
exec openssl x509 -req -in /dev/stdin -CA "$PKI/tls-root.pem" -CAkey "$PKI/tls-root.key" -days 5 -copy_extensions copy
EOF
    chmod +x "$PKI/issue"
}

# configure [LINE...]: writes relay.toml, LINEs go into [brski].
configure() {
    write_brski "$PKI" "$MAKER" "$@"
    if [ "$ACCOUNT" = none ]; then
        sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/relay.toml"
    fi
}

# registrar [LINE...]: the same, and starts the relay: REGISTRAR.
registrar() {
    configure "$@"
    start_relay "$PKI"
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
}

# post RESOURCE FILE TYPE [CURL OPTION...]: the pledge POSTs to the registrar; sets STATUS, the answer lies in answer
# and headers.
post() {
    local resource=$1 file=$2 type=$3
    shift 3
    STATUS=$(curl -s --cacert "$PKI/tls-root.pem" --cert "${CERT:-pledgeid}.pem" --key "${CERT:-pledgeid}.key" -D headers -o answer \
        -w '%{http_code}' -H "Content-Type: $type" --data-binary "@$file" "$@" "$REGISTRAR/.well-known/brski/$resource")
    export STATUS
}

# ask FILE [CURL OPTION...]: POSTs a voucher-request.
ask() {
    local file=$1
    shift
    post requestvoucher "$file" "${TYPE:-application/voucher-cms+json}" "$@"
}

# request NAME [OPTION...]: a fresh voucher-request in the file NAME.
request() {
    local name=$1
    shift
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$PKI/ra.pem" "$@" -o "$name"
}

# wait_for_dead_masa: a relay without a CA, and the pledge's request "one", which waits for a MASA that does not run.
wait_for_dead_masa() {
    make_flow5
    no_ca
    registrar 'wait = "100ms"'
    request one
    ask one
    [ "$STATUS" = 202 ]
}

status_of_device() {
    est-relay explain --config "$PKI/relay.toml" --json "${1:-pledgeid}" | jq -r .voucher.state
}

# device_is STATE [SERIAL]
device_is() {
    [ "$(status_of_device "${2:-}")" = "$1" ]
}

# est_code OPERATION: status of EST for the pledge.
est_code() {
    curl -s --cacert "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key -o est -w '%{http_code}' \
        "$REGISTRAR/.well-known/est/$1"
}

# masa_events SERIAL: how many vouchers its MASA has in the log.
masa_events() {
    brski-masa log --dir "$MAKER" --serial "$1" | jq '.events | length'
}

# pledge_run [OPTION...]: brski-pledge run for pledgeid; the key goes to KEY_OUT or new.key.
pledge_run() {
    brski-pledge run "${PLEDGE[@]}" --manufacturer-ta "$MAKER/vendor.pem" --key-out "${KEY_OUT:-new.key}" "$@"
}

# make_voucher NAME JSON [SIGNER]: signed by the MASA in MAKER or SIGNER.
make_voucher() {
    printf '%s' "$2" >"$1.json"
    openssl cms -sign -binary -nodetach -in "$1.json" -signer "${3:-$MAKER/masa}.pem" -inkey "${3:-$MAKER/masa}.key" \
        -outform DER -econtent_type 1.2.840.113549.1.9.16.1.40 -out "$1"
}

# voucher_json REQUEST [PINNED]: the leaves of a right answer to a voucher-request.
voucher_json() {
    local nonce
    nonce=$(openssl cms -verify -noverify -inform DER -in "$1" 2>/dev/null | jq -r '."ietf-voucher-request:voucher".nonce')
    printf '{"ietf-voucher:voucher":{"assertion":"logged","serial-number":"pledgeid","nonce":"%s","created-on":"2026-01-01T00:00:00Z","pinned-domain-cert":"%s"}}' \
        "$nonce" "$(openssl x509 -in "${2:-$PKI/ra.pem}" -outform DER | base64 -w0)"
}

# script DIR NAME [EXTENSION...]: a server that answers by rules, its certificate of the manufacturer's CA. Needs est.bash, too.
script() {
    local dir=$1 name=$2
    shift 2
    cp "$MAKER/vendor.pem" ca.pem
    cp "$MAKER/vendor.key" ca.key
    cp ca.pem foreign.pem # whose clients it takes
    cp ca.key foreign.key
    issue "$name" "/CN=$name" ca subjectAltName=IP:127.0.0.1 extendedKeyUsage=serverAuth "$@"
    start_est "$dir" "$name"
}

# answers FILE [TYPE]: the reply to requestvoucher, as a rule.
answers() {
    jq -n --arg file "$PWD/$1" --arg type "${2-application/voucher-cms+json}" '{requestvoucher: [{file: $file, headers: {"Content-Type": $type}}]}'
}
