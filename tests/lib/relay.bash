# est-relay on loopback with devices of a test manufacturer. Needs common.bash, ca.bash and a running CA.

# shellcheck source=tests/lib/postgres.bash
. "$ROOT/tests/lib/postgres.bash"

# start_authority [OPTION...]: domain.com at Knot, acme-ca with these options, which asks it, and an account there in
# ACCOUNT; needs dns.bash, too.
start_authority() {
    start_knot "$PWD/knot" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" "$@"
    ACCOUNT=$PWD/acct.json
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos --account "$ACCOUNT" >/dev/null
}

# make_pki DIR: a manufacturer's CA with device0001 and stranger9999, the user swan, and the relay's own TLS certificate. All
# tests have the same.
make_pki() { made_once pki "$1" make_new_pki; }
make_new_pki() {
    local dir=$1 name
    mkdir -p "$dir"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/maker.key" \
        -out "$dir/maker.pem" -subj "/O=Maker/CN=Maker CA" -days 30 2>/dev/null
    for name in device0001 stranger9999; do make_idevid "$dir" "$name"; done
    make_tls "$dir"
    echo "device0001" >"$dir/devices.csv"
    echo "swan:$(openssl passwd -6 secret):device0007.iot.domain.com" >"$dir/users"
}

# make_idevid DIR SERIAL: a device of the manufacturer, SERIAL.pem and SERIAL.key.
make_idevid() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/$2.key" -subj "/O=Maker/serialNumber=$2" \
        2>/dev/null | openssl x509 -req -CA "$1/maker.pem" -CAkey "$1/maker.key" -days 30 -out "$1/$2.pem" 2>/dev/null
}

# make_tls DIR: ra.pem and ra.key anew, under tls-root.pem.
make_tls() {
    local dir=$1
    if [[ ! -e $dir/tls-root.pem ]]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/tls-root.key" \
            -out "$dir/tls-root.pem" -subj "/CN=TLS root" -days 30 2>/dev/null
    fi
    echo "subjectAltName=DNS:localhost,IP:127.0.0.1" >"$dir/ra.extensions"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/ra.key" -subj "/CN=localhost" 2>/dev/null |
        openssl x509 -req -CA "$dir/tls-root.pem" -CAkey "$dir/tls-root.key" -days 30 -out "$dir/ra.pem" \
            -extfile "$dir/ra.extensions" 2>/dev/null
}

# write_relay_toml DIR [LINE...]: LINEs go into [est]. RELAY_DOMAIN, the lines RELAY_DOMAIN_LINES, RELAY_DNS and
# RELAY_LIMITS of [[domain]], [dns] and [limits] may be set before.
write_relay_toml() {
    local dir=$1
    shift
    local update lines IFS=$'\n'
    lines=$*
    printf -v update 'update = "%s"\ntsig_key = "%s"' "${DNS_SERVER:-}" "${TSIG_KEY:-}"
    : "${RELAY_PORT:=$(free_port)}" "${RELAY_ADMIN_PORT:=$(free_port)}"
    cat >"$dir/relay.toml" <<EOF
[listen]
est = "127.0.0.1:$RELAY_PORT"
admin = "127.0.0.1:$RELAY_ADMIN_PORT"
[tls]
certificate = "ra.pem"
[clients.idevid]
trust = ["maker.pem"]
inventory = "devices.csv"
[clients.basic]
file = "users"
[acme]
account = "$ACCOUNT"
[[domain]]
name = "${RELAY_DOMAIN:-iot.domain.com}"
${RELAY_DOMAIN_LINES:-}
[dns]
${RELAY_DNS:-$update}
[cacerts]
root = "$CA_ROOT"
[limits]
request = "2s"
${RELAY_LIMITS:-}
[est]
$lines
EOF
}

# make_issuer DIR: the program DIR/issue, which signs whatever it gets; sets CA_ROOT, and ACCOUNT to none.
make_issuer() {
    CA_ROOT=$1/tls-root.pem
    ACCOUNT=none
    cat >"$1/issue" <<EOF
#!/bin/sh
exec openssl x509 -req -in /dev/stdin -CA "$1/tls-root.pem" -CAkey "$1/tls-root.key" -days 5 -copy_extensions copy
EOF
    chmod +x "$1/issue"
}

# by_program DIR FILE: the configuration in FILE with that program as its issuer.
by_program() {
    sed -i "s|^account = .*|issuer = [\"$1/issue\"]|; /^update = \|^tsig_key = /d" "$2"
}

# start_relay DIR: sets RELAY (base URL), RELAY_ADMIN, RELAY_PID. RELAY_CLOCK may be a clock (clock_variables),
# RELAY_TRACE a file for the messages.
start_relay() {
    local dir=$1 clock=()
    if [[ -n ${RELAY_CLOCK:-} ]]; then
        clock_variables "$RELAY_CLOCK"
        clock=(env "${CLOCK_VARIABLES[@]}" FAKETIME_DONT_FAKE_MONOTONIC=1)
    fi
    : >"$dir/ready"
    on_postgresql "$dir/relay.toml" est-relay
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS "${clock[@]}" est-relay serve --config "$dir/relay.toml" --log-format json -vv \
        ${RELAY_TRACE:+--trace "$RELAY_TRACE"} >"$dir/ready" 2>>"$dir/relay.log" &
    RELAY_PID=$!
    STARTED+=("$RELAY_PID")
    if ! wait_for 20 contains "$dir/ready" admin; then
        cat "$dir/relay.log" >&2
        return 1
    fi
    RELAY="https://127.0.0.1:$RELAY_PORT/.well-known/est"
    RELAY_ADMIN="http://127.0.0.1:$RELAY_ADMIN_PORT"
    export RELAY RELAY_ADMIN
}

# est DEVICE OPERATION [CURL OPTION...]: sets STATUS; body and headers lie in $PKI. DEVICE "-": nobody.
est() {
    local device=$1 operation=$2
    shift 2
    local certificate=()
    [[ $device == - ]] || certificate=(--cert "$PKI/$device.pem" --key "$PKI/$device.key")
    STATUS=$(curl -s --max-time 60 --cacert "$PKI/tls-root.pem" "${certificate[@]}" -D "$PKI/headers" -o "$PKI/body" \
        -w '%{http_code}' "$@" "$RELAY/$operation")
    export STATUS
}

# enrol DEVICE OPERATION CSR: with 202 as often as it takes.
enrol() {
    local turns
    for ((turns = 0; turns < 60; ++turns)); do
        est "$1" "$2" -H 'Content-Type: application/pkcs10' --data-binary "@$3" || return
        [[ $STATUS == 202 ]] || break
        sleep 1
    done
    [[ $STATUS == 200 ]] || { cat "$PKI/body" && tail -n 5 "$PKI/relay.log"; } >&2
    return 0
}

# make_csr NAME FILE [KEY]: base64 of a request for a DNS name.
make_csr() {
    local key=${3:-$2.key} how
    if [[ -e $key ]]; then how=(-key "$key"); else how=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$key"); fi
    openssl req -new "${how[@]}" -subj / -addext "subjectAltName=DNS:$1" 2>/dev/null | grep -v '^-----' >"$2"
}
