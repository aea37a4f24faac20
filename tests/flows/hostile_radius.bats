#!/usr/bin/env bats
# Packets of a hostile NAS at teap-relay, and the answers of a hostile server at teap-enroll (tests/lib/odd_nas.py).

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    export RELAY_DOMAIN=domain.com
    CA_ROOT=$PKI/tls-root.pem
    ACCOUNT=none
    write_teap_toml "$PKI"
    sed -i 's|^account = .*|issuer = ["/bin/false"]|; /^update = \|^tsig_key = /d' "$PKI/teap.toml"
}

teardown() {
    stop_all
}

@test "SEC-10, RAD-02a, RAD-04a: whatever a NAS sends, teap-relay answers as it should, or not, and lets nobody in" {
    start_teap "$PKI"
    run python3 "$ROOT/tests/lib/odd_nas.py" "$RADIUS_PORT" radius-secret
    grep -v '^ok' <<<"$output" || true
    [ "$status" -eq 0 ]
    clean "$TEAP_LOG"
    jq -e 'type == "object"' "$TEAP_LOG" >/dev/null
    # All of it is over, and the next device gets its turn: known, and refused by an issuer that fails.
    run peer device0001 --new-key ec:P-256 --key-out new.key -o new.pem
    [ "$status" -eq 77 ]
    curl -s "$TEAP_ADMIN/metrics" >metrics
    clean metrics
}

@test "SEC-10, TEAP-02b: whatever a RADIUS server answers, teap-enroll ends with 69, 76 or 77 and writes no file" {
    mapfile -t names < <(python3 - "$ROOT/tests/lib/odd_nas.py" <<'END'
import re, sys
print(*re.findall(r'^    "([a-z-]+)": lambda i', open(sys.argv[1]).read(), re.M), sep="\n")
END
    )
    ((${#names[@]} > 12))
    local name server status
    for name in "${names[@]}"; do
        python3 "$ROOT/tests/lib/odd_nas.py" serve "$RADIUS_PORT" radius-secret "$name" >ready 3>&- &
        server=$!
        STARTED+=("$server")
        wait_for 10 grep -q ready ready
        status=0
        timeout 120 teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
            --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --new-key ec:P-256 --key-out new.key -o new.pem \
            -vv >told 2>&1 || status=$?
        [[ $status =~ ^(69|76|77)$ ]] || { echo "$name: $status" && cat -v told && false; }
        clean told
        [ ! -e new.pem ]
        kill "$server"
        wait "$server" || true
    done
}

@test "TEAP-02b, TEAP-22: teap-enroll requests nothing from a server of another CA, or of another name" {
    make_issuer "$PKI"
    sed -i "s|\"/bin/false\"|\"$PKI/issue\"|" "$PKI/teap.toml"
    start_teap "$PKI"
    enrols() { # ANCHORS [OPTION...]
        local anchors=$1
        shift
        run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$anchors" --timeout 60s \
            --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --new-key ec:P-256 --key-out new.key -o new.pem "$@"
        echo "$output"
    }
    nothing() { # CODE
        [ "$status" -eq 77 ]
        [[ $output == *"\"code\": \"$1\""* ]]
        [ ! -e new.pem ]
        run ! grep '"event":"decision"' "$TEAP_LOG"
    }
    enrols "$PKI/maker.pem" --json
    nothing path
    enrols "$PKI/maker.pem" --server-name localhost --json
    nothing path
    enrols "$PKI/tls-root.pem" --server-name radius.example --json
    nothing serverName
    enrols "$PKI/tls-root.pem" --identity device0001@localhost.example --json
    nothing serverName
    # The same device, at a server that it knows.
    enrols "$PKI/tls-root.pem" --identity device0001@localhost
    [ "$status" -eq 0 ]
    openssl verify -CAfile "$PKI/tls-root.pem" new.pem
    grep '"event":"decision"' "$TEAP_LOG"
}
