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
    brski-masa serve --dir "$dir" --listen "127.0.0.1:$MASA_PORT" "$@" >"$dir/ready" 2>>"$dir/masa.log" &
    MASA_PID=$!
    STARTED+=("$MASA_PID")
    wait_for 20 grep -q ready "$dir/ready" || { cat "$dir/masa.log" >&2; return 1; }
    MASA="127.0.0.1:$MASA_PORT"
    export MASA
}

# make_pledge DIR SERIAL [MASA URL]: SERIAL.pem and SERIAL.key here, a device of the manufacturer in DIR.
make_pledge() {
    : "${MASA_PORT:=$(free_port)}"
    brski-masa make-idevid --dir "$1" --serial "$2" --masa-url "${3:-127.0.0.1:$MASA_PORT}" --key-out "$2.key" -o "$2.pem"
}

# write_brski DIR MASA_DIR [LINE...]: the relay's configuration in DIR with that manufacturer; LINEs go into [brski].
write_brski() {
    local dir=$1 masa=$2
    shift 2
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
