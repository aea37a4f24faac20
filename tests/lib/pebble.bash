# Debian's Pebble with its challenge test server, on loopback. Needs common.bash.

# start_pebble DIR [ENV=VALUE...]: sets PEBBLE_DIRECTORY, PEBBLE_CA, PEBBLE_LOG, and the management URLs of both,
# PEBBLE_MANAGEMENT and PEBBLE_CHALLTEST. With PEBBLE_EAB_KEYS, a JSON object of key identifiers and MAC keys, an
# account has to be bound to one of them. PEBBLE_PORT is the port that http-01 and tls-alpn-01 are asked at.
start_pebble() {
    local dir=$1 port management dns challenge
    shift
    mkdir -p "$dir"
    port=$(free_port)
    management=$(free_port)
    dns=$(free_port)
    challenge=$(free_port)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/ca.key" -out "$dir/ca.pem" \
        -subj "/CN=Pebble TLS" -days 2 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/tls.key" -subj "/CN=localhost" 2>/dev/null |
        openssl x509 -req -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 2 -out "$dir/tls.pem" \
            -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
    cat >"$dir/pebble.json" <<EOF
{"pebble": {"listenAddress": "127.0.0.1:$port", "managementListenAddress": "127.0.0.1:$management",
 "certificate": "$dir/tls.pem", "privateKey": "$dir/tls.key", "httpPort": ${PEBBLE_PORT:-$challenge}, "tlsPort": ${PEBBLE_PORT:-$challenge},
 "ocspResponderURL": "", "externalAccountMACKeys": ${PEBBLE_EAB_KEYS:-{\}},
 "externalAccountBindingRequired": $([ -n "${PEBBLE_EAB_KEYS:-}" ] && echo true || echo false)}}
EOF
    pebble-challtestsrv -dns01 "127.0.0.1:$dns" -http01 "" -https01 "" -tlsalpn01 "" \
        -management "127.0.0.1:$challenge" >"$dir/challtestsrv.log" 2>&1 &
    STARTED+=($!)
    PEBBLE_LOG="$dir/pebble.log"
    env PEBBLE_VA_NOSLEEP=1 "$@" pebble -config "$dir/pebble.json" -dnsserver "127.0.0.1:$dns" -strict false \
        >"$PEBBLE_LOG" 2>&1 &
    STARTED+=($!)
    PEBBLE_DIRECTORY="https://127.0.0.1:$port/dir"
    PEBBLE_MANAGEMENT="https://127.0.0.1:$management"
    PEBBLE_CA="$dir/ca.pem"
    PEBBLE_CHALLTEST="http://127.0.0.1:$challenge"
    export PEBBLE_MANAGEMENT PEBBLE_CHALLTEST PEBBLE_LOG
    wait_for 20 eval "[[ -n \$(ss -Hltn 'sport = :$challenge') ]]"
    wait_for 20 curl -sf --cacert "$PEBBLE_CA" "$PEBBLE_DIRECTORY"
}
