#!/usr/bin/env bats
# Challenges that the client itself answers, with acme-ca and Pebble.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/chains
load ../lib/pebble

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    HTTP_PORT=$(free_port)
    TLS_PORT=$(free_port)
}

teardown() {
    stop_all
}

begin() { # CA OPTION...
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --http-port "$HTTP_PORT" --tls-port "$TLS_PORT" --allow-loopback "$@"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
}

nobody_listens() { # PORT
    [ -z "$(ss -Hltn "sport = :$1")" ]
}

@test "CHAL-09b, CHAL-09c: acme-order by standalone http-01 and tls-alpn-01, several names at once; nothing listens afterwards" {
    begin
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com --dns b.domain.com -o c.csr
    acme-order run --standalone http --standalone-listen "127.0.0.1:$HTTP_PORT" -o http.pem <c.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted http.pem http.pem
    grep '"resource":"validation"' "$CA_LOG" | grep '"http-01"' | grep b.domain.com
    nobody_listens "$HTTP_PORT"
    csr-build --new-key ec:P-256 --key-out k2 --dns c.domain.com --dns d.domain.com -o d.csr
    acme-order run --standalone tls-alpn --standalone-listen "127.0.0.1:$TLS_PORT" -o tls.pem <d.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted tls.pem tls.pem
    grep '"resource":"validation"' "$CA_LOG" | grep '"tls-alpn-01"' | grep d.domain.com
    nobody_listens "$TLS_PORT"
}

@test "CHAL-09b, CHAL-09c: acme-preauth by standalone tls-alpn-01; acme-order new, authorize by http-01, finalize, download" {
    begin
    acme-preauth run --standalone tls-alpn --standalone-listen "127.0.0.1:$TLS_PORT" -o authz.json domain.com
    jq -e '.status == "valid"' authz.json
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com | acme-order new -o 1.json
    acme-order authorize --standalone http --standalone-listen "$HTTP_PORT" -o 2.json <1.json
    acme-order finalize -o 3.json <2.json
    acme-order download -o a.pem <3.json
    openssl verify -CAfile "$CA_ROOT" -untrusted a.pem a.pem
}

@test "CHAL-09c: only acme-tls/1 and only the names being proved are answered" {
    begin
    set_fault challengeDelay=12
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com -o c.csr
    acme-order run --standalone tls-alpn --standalone-listen "127.0.0.1:$TLS_PORT" -o c.pem <c.csr &
    local client=$!
    STARTED+=($client)
    wait_for 20 eval "! nobody_listens $TLS_PORT"
    local target=127.0.0.1:$TLS_PORT
    openssl s_client -connect "$target" -alpn acme-tls/1 -servername A.domain.com </dev/null >good 2>&1
    grep 'ALPN protocol: acme-tls/1' good
    ! openssl s_client -connect "$target" -servername a.domain.com </dev/null >none 2>&1 || return 1
    ! openssl s_client -connect "$target" -alpn h2,http/1.1 -servername a.domain.com </dev/null >other 2>&1 || return 1
    ! openssl s_client -connect "$target" -alpn acme-tls/1 -servername domain.com </dev/null >stranger 2>&1 || return 1
    ! openssl s_client -connect "$target" -alpn acme-tls/1 -noservername </dev/null >nameless 2>&1 || return 1
    ! openssl s_client -connect "$target" -alpn acme-tls/1 -servername a.domain.com -tls1_1 </dev/null >old 2>&1 || return 1
    ! grep 'BEGIN CERTIFICATE' none other stranger nameless old || return 1
    # Whoever connects and says nothing holds nobody up.
    local fd
    for fd in $(seq 20); do exec {silent}<>"/dev/tcp/127.0.0.1/$TLS_PORT"; done
    openssl s_client -connect "$target" -alpn acme-tls/1 -servername a.domain.com </dev/null | grep 'acme-tls/1'
    wait "$client"
    [ -s c.pem ]
}

@test "SEC-18: acme-tls/1 is not signed with SHA-1, neither by the client nor for acme-ca" {
    weak_conf
    export OPENSSL_CONF=$WEAK_CONF
    begin
    set_fault challengeDelay=60
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com -o c.csr
    local other algorithm
    other=$(free_port) # where acme-ca does not look
    acme-order run --standalone tls-alpn --standalone-listen "127.0.0.1:$other" <c.csr >/dev/null 2>&1 3>&- &
    local client=$!
    STARTED+=($client)
    wait_for 20 eval "! nobody_listens $other"
    proves() { # DIGEST
        openssl s_client -connect "127.0.0.1:$other" -alpn acme-tls/1 -servername a.domain.com -tls1_2 -sigalgs "ECDSA+$1" </dev/null
    }
    proves SHA256
    ! proves SHA1 || return 1
    kill "$client"
    wait "$client" || true

    set_fault challengeDelay=0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout proof.key -subj /CN=proof -out proof.pem 2>/dev/null
    for algorithm in ECDSA+SHA256 ECDSA+SHA1; do
        openssl s_server -accept "127.0.0.1:$TLS_PORT" -cert proof.pem -key proof.key -alpn acme-tls/1 -www -tls1_2 \
            -sigalgs "$algorithm" >/dev/null 2>&1 3>&- &
        local server=$!
        STARTED+=("$server")
        wait_for 20 eval "! nobody_listens $TLS_PORT"
        run acme-order run --json --standalone tls-alpn --standalone-listen "127.0.0.1:$other" <c.csr
        echo "$output"
        [ "$status" != 0 ]
        if [ "$algorithm" = ECDSA+SHA1 ]; then
            [[ $output == *'TLS handshake'* ]]
        else
            [[ $output != *'TLS handshake'* ]]
        fi
        kill "$server"
        wait "$server" || true
    done
}

@test "CHAL-09b, CHAL-09c, CHAL-03b: a port that is taken, one that is none, a step that cannot serve; SIGTERM frees the port" {
    begin
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com -o c.csr
    python3 -m http.server --bind 127.0.0.1 "$HTTP_PORT" >/dev/null 2>&1 3>&- &
    STARTED+=($!)
    wait_for 20 eval "! nobody_listens $HTTP_PORT"
    run acme-order run --json --standalone http --standalone-listen "127.0.0.1:$HTTP_PORT" <c.csr
    [ "$status" = 73 ]
    [[ "$output" == *'"listen"'* ]]
    run acme-order run --json --standalone http --standalone-listen host <c.csr
    [ "$status" = 64 ]
    run acme-order run --json --standalone ftp <c.csr
    [ "$status" = 64 ]
    [[ "$output" == *standaloneKind* ]]
    run acme-order run --json --standalone-listen 1 <c.csr
    [ "$status" = 64 ]
    run acme-preauth publish --json --standalone http </dev/null
    [ "$status" = 64 ]
    [[ "$output" == *standaloneStep* ]]
    set_fault challengeDelay=30
    acme-order run --standalone tls-alpn --standalone-listen "127.0.0.1:$TLS_PORT" <c.csr >out.pem 2>/dev/null &
    local client=$!
    STARTED+=($client)
    wait_for 20 eval "! nobody_listens $TLS_PORT"
    kill "$client"
    local ended=0
    wait "$client" || ended=$?
    [ "$ended" = 143 ]
    [ ! -s out.pem ]
    nobody_listens "$TLS_PORT"
}

@test "CHAL-09b, CHAL-09c: Pebble validates standalone http-01 and tls-alpn-01" {
    local port kind
    for kind in http tls-alpn; do
        port=$(free_port)
        PEBBLE_PORT=$port start_pebble "$PWD/$kind" PEBBLE_AUTHZREUSE=0
        acme-account register -q --account "$kind.json" --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" \
            --agree-tos --contact mailto:ops@example.org -o account.json
        csr-build --new-key ec:P-256 --key-out "$kind-leaf.key" --dns a.example.org --dns b.example.org |
            acme-order run --account "$kind.json" --standalone "$kind" --standalone-listen "$port" -o "$kind.pem"
        openssl x509 -in "$kind.pem" -noout -ext subjectAltName | grep b.example.org
    done
}
