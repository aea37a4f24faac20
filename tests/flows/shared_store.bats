#!/usr/bin/env bats
# Several relays on one PostgreSQL database: docs/SCALING.md.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/shared

RADIUS_one="" RADIUS_two=""

setup_file() {
    PG=$(mktemp -d /tmp/pg.XXXX) # short: its socket is there
    chmod 755 "$PG"
    init_postgres "$PG"
    start_postgres "$PG"
    export PG PG_PORT
}

teardown_file() {
    stop_postgres "$PG" immediate || true
    rm -rf "$PG"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
    DATABASE=t$BATS_TEST_NUMBER
    sql postgres "CREATE DATABASE $DATABASE" >/dev/null
}

teardown() {
    stop_all
    sql postgres "DROP DATABASE IF EXISTS $DATABASE WITH (FORCE)" >/dev/null || true
}

@test "SCL-01: what one relay orders, the other has: one order for one request, and one certificate" {
    two_relays
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    got first.pem
    ask two
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    got second.pem
    cmp first.pem second.pem
    [ "$(issued_for device0001.iot.domain.com)" = 1 ]
    # The certificate of the one is an identity at the other, which knows its intermediates, too.
    cat first.pem >pki/new.pem
    cp csr.key pki/new.key
    make_csr device0001.iot.domain.com again new.key
    enrol new simplereenroll again
    [ "$STATUS" = 200 ]
    est - cacerts
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs | grep -c BEGIN >count
    ask one
    est - cacerts
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs | grep -c BEGIN | cmp - count
    run est-relay status --config one/relay.toml --json
    jq -e '[.relays[] | select(.sameSettings)] | map(.instance) == ["one", "two"]' <<<"$output"
}

@test "SCL-02: both relays at once get the same request: one order" {
    local i name askers
    for i in 1 2 3 4 5; do
        make_idevid "$PKI" "twin$i"
        echo "twin$i" >>"$PKI/devices.csv"
        make_csr "twin$i.iot.domain.com" "twin$i.csr"
    done
    two_relays 'wait = "50s"'
    set_fault processing=1
    for i in 1 2 3 4 5; do
        askers=()
        for name in one two; do
            (
                ask "$name"
                PKI=$PWD/$name
                cp pki/twin"$i".* "$name/"
                enrol "twin$i" simpleenroll "twin$i.csr"
                [ "$STATUS" = 200 ] && got "$name.$i.pem"
            ) 3>&- &
            askers+=($!)
        done
        wait "${askers[@]}"
    done
    for i in 1 2 3 4 5; do
        cmp "one.$i.pem" "two.$i.pem"
        [ "$(issued_for "twin$i.iot.domain.com")" = 1 ]
    done
    # One of them waited for what the other drove, and was told: none had to ask again.
    run cat one/relay.log two/relay.log
    [[ $output != *'"decision":"pending"'* ]]
    [ "$(sql "$DATABASE" 'SELECT COUNT(*) FROM orders WHERE state = 2')" = 5 ]
}

@test "SCL-03: revoked and blocked at one, refused at both at once" {
    two_relays
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    got new.pem
    cat new.pem >pki/new.pem
    cp csr.key pki/new.key
    est-relay revoke --config one/relay.toml "$(openssl x509 -in new.pem -noout -serial | cut -d= -f2)"
    ask two
    est new simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 403 ]
    est-relay block --config two/relay.toml device0001
    make_csr device0001.iot.domain.com other.csr
    for name in one two; do
        ask "$name"
        est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @other.csr
        [ "$STATUS" = 403 ]
    done
}

@test "SCL-04: a relay killed with an order under way: the other takes it over, and finalizes it once" {
    two_relays 'wait = "0s"' 'retry_after = "1s"'
    under_way 4
    kill -KILL "$PID_one"
    ask two
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 1 ]
    [ "$(requests finalize)" = 1 ]
    grep -q 'took over 1 orders of one#' two/relay.log
}

@test "SCL-05: a relay stopped past its lease and continued does no harm" {
    two_relays 'wait = "0s"' 'retry_after = "1s"'
    under_way 6
    kill -STOP "$PID_one"
    wait_for 15 grep -q 'took over 1 orders of one#' two/relay.log
    kill -CONT "$PID_one"
    wait_for 15 grep -q 'the store was away' one/relay.log
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    [ "$(issued_for device0001.iot.domain.com)" = 1 ]
    [ "$(sql "$DATABASE" 'SELECT COUNT(*) FROM orders WHERE state < 2')" = 0 ]
    make_csr device0001.iot.domain.com next.csr
    enrol device0001 simpleenroll next.csr
    [ "$STATUS" = 200 ]
}

@test "SCL-06: two relays with one name: the second waits and says for whom, until the first ends" {
    relay_files one
    relay_of one
    cp -r one again
    sed -i "s/^est = .*/est = \"127.0.0.1:$(free_port)\"/; s/^admin = .*/admin = \"127.0.0.1:$(free_port)\"/" again/relay.toml
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS est-relay serve --config again/relay.toml >again/ready 2>again/relay.log &
    STARTED+=($!)
    wait_for 10 grep -q 'another relay there has the name one' again/relay.log
    [ ! -s again/ready ]
    kill -KILL "$PID_one"
    wait_for 10 grep -q admin again/ready
}

@test "SCL-07: PostgreSQL restarts: 503 or a wait meanwhile, then all goes on, and nothing is lost or done twice" {
    two_relays 'wait = "500ms"'
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    stop_postgres "$PG" immediate
    make_csr device0001.iot.domain.com next.csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @next.csr
    [ "$STATUS" = 503 ]
    grep -qi '^Retry-After: ' "$PKI/headers"
    is_not_ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$RELAY_ADMIN/readyz")" = 503 ]; }
    wait_for 10 is_not_ready
    start_postgres "$PG"
    ask two
    wait_for 20 curl -sf "$RELAY_ADMIN/readyz"
    ask one
    wait_for 20 curl -sf "$RELAY_ADMIN/readyz"
    enrol device0001 simpleenroll next.csr
    [ "$STATUS" = 200 ]
    [ "$(issued_for device0001.iot.domain.com)" = 2 ]
}

@test "SCL-08: store init, status, grants: a relay needs no more rights than those" {
    relay_files one
    grep -q 'tables of version' tables
    est-relay store init --config one/relay.toml
    sql "$DATABASE" 'REVOKE CREATE ON SCHEMA public FROM PUBLIC' >/dev/null
    sql postgres 'DROP ROLE IF EXISTS least' >/dev/null
    sql postgres 'CREATE ROLE least LOGIN' >/dev/null
    est-relay store grants least >grants.sql
    as_postgres psql -q -h "$PG" -p "$PG_PORT" -U relay -d "$DATABASE" -v ON_ERROR_STOP=1 <grants.sql
    PG_USER=least relay_files two
    relay_of two
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    run est-relay store status --config two/relay.toml --json
    [ "$status" -eq 0 ]
    jq -e '.certificates == 1 and .relays[0].instance == "two" and .relays[0].alive' <<<"$output"
    est-relay check --config two/relay.toml | grep -q '^ok .*store: database .* can be written to'
    run est-relay store grants 'x; DROP TABLE orders'
    [ "$status" -eq 65 ]
    # A wrong word is found before any file is read.
    run est-relay store frob --config nowhere.toml
    [ "$status" -eq 64 ]
    [[ $output == *'store cannot do frob'* ]]
}

@test "SCL-09: wrong in each way: no tables, no server, wrong password, a password in the file, a later version" {
    TABLES=none relay_files one
    run est-relay serve --config one/relay.toml
    [ "$status" -eq 78 ]
    [[ $output == *'there are no tables'*'store init'* ]]
    run est-relay check --config one/relay.toml
    [ "$status" -eq 78 ]
    [[ $output == *'store init'* ]]
    est-relay store init --config one/relay.toml
    sql "$DATABASE" 'UPDATE store_schema SET version = 99' >/dev/null
    run est-relay serve --config one/relay.toml
    [ "$status" -eq 78 ]
    [[ $output == *'of version 99'* ]]
    sed -i "s/^postgresql = .*/postgresql = \"host=127.0.0.1 port=1 dbname=relay user=relay\"/" one/relay.toml
    run est-relay serve --config one/relay.toml
    [ "$status" -eq 74 ]
    [[ $output == *'127.0.0.1:1/relay'* ]]
    sed -i "s|^postgresql = .*|postgresql = \"postgresql://relay:secret@127.0.0.1/relay\"|" one/relay.toml
    run est-relay check --config one/relay.toml
    [ "$status" -eq 78 ]
    [[ $output == *'password_file'* && $output != *secret* ]]
    sed -i "s|^postgresql = .*|sqlite = \"relay.db\"|" one/relay.toml
    run est-relay check --config one/relay.toml
    [ "$status" -eq 78 ]
    [[ $output == *'requires postgresql'* ]]
}

@test "SCL-10: TLS to the database: the right certificate, a wrong one, and none" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout db.key -out db.pem -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -days 3 2>/dev/null
    local place=$PG/tls data=$PG/data2 first=$PG_PORT
    relay_files one
    mkdir -p "$place"
    cp db.key db.pem "$place/"
    chmod 600 "$place/db.key"
    chown -R postgres "$place"
    PG_PORT=$(free_port)
    mkdir -p "$data"
    init_postgres "$data" ssl=on "ssl_cert_file='$place/db.pem'" "ssl_key_file='$place/db.key'"
    printf 'local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n' >"$data/data/pg_hba.conf"
    start_postgres "$data"
    sql_there() { as_postgres psql -h "$data" -p "$PG_PORT" -U relay -d postgres -At -c "$1" >/dev/null; }
    sql_there "ALTER ROLE relay PASSWORD 'one two'"
    sql_there "CREATE DATABASE $DATABASE"
    (umask 077 && echo 'one two' >one/password)
    set_target() {
        sed -i "s|^postgresql = .*|postgresql = \"host=localhost hostaddr=127.0.0.1 port=$PG_PORT user=relay dbname=$DATABASE sslrootcert=$1 sslmode=${2:-verify-full}\"|" one/relay.toml
    }
    sed -i 's/^\[store\]/[store]\npassword_file = "password"/' one/relay.toml
    set_target "$PWD/db.pem"
    est-relay store init --config one/relay.toml
    relay_of one
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    set_target "$PWD/pki/maker.pem"
    run est-relay store status --config one/relay.toml
    [ "$status" -eq 74 ]
    [[ $output == *certificate* ]]
    set_target "$PWD/db.pem"
    echo wrong >one/password
    run est-relay store status --config one/relay.toml
    [ "$status" -eq 74 ]
    [[ $output == *'password authentication failed'* ]]
    kill -TERM "$PID_one"
    stop_postgres "$data" immediate
    PG_PORT=$first
}

@test "SCL-11: a file of one relay is copied, and the relay on the database knows its devices" {
    only_sqlite
    write_relay_toml "$PKI"
    start_relay "$PKI"
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    got first.pem
    est-relay block --config pki/relay.toml stranger9999
    kill -TERM "$RELAY_PID"
    wait "$RELAY_PID"
    relay_files one
    est-relay store copy --config one/relay.toml --from sqlite:pki/relay.db
    run est-relay store copy --config one/relay.toml --from pki/relay.db
    [ "$status" -eq 78 ]
    [[ $output == *'has rows already'* ]]
    relay_of one
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    got second.pem
    cmp first.pem second.pem
    [ "$(issued_for device0001.iot.domain.com)" = 1 ]
    [ "$(sql "$DATABASE" 'SELECT COUNT(*) FROM blocked')" = 1 ]
}

@test "SCL-11, SCL-44: orders under way are copied, placed or not yet, and the relay on the database ends them" {
    only_sqlite
    make_idevid "$PKI" other
    echo other >>"$PKI/devices.csv"
    write_relay_toml "$PKI" 'wait = "0s"' 'retry_after = "1s"'
    start_relay "$PKI"
    under_way 4
    set_fault slow=newOrder:100:1
    make_csr other.iot.domain.com other.csr
    est other simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @other.csr
    [ "$STATUS" = 202 ]
    kill -KILL "$RELAY_PID"
    wait "$RELAY_PID" || true
    relay_files one 'wait = "0s"' 'retry_after = "1s"'
    est-relay store copy --config one/relay.toml --from pki/relay.db
    [ "$(sql "$DATABASE" 'SELECT COUNT(*), MIN(state), MAX(state) FROM orders')" = '2|0|1' ]
    relay_of one
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    enrol other simpleenroll other.csr
    [ "$STATUS" = 200 ]
    grep -q 'took over 2 orders of no relay' one/relay.log
    run cat one/relay.log
    [[ $output != *'another relay has taken the order over'* ]]
    [ "$(issued_for device0001.iot.domain.com)" = 1 ]
    [ "$(issued_for other.iot.domain.com)" = 1 ]
    [ "$(sql "$DATABASE" 'SELECT COUNT(*) FROM orders WHERE state < 2')" = 0 ]
}

@test "SCL-12: limits hold across the relays" {
    local i answers=''
    for i in 1 2 3 4 5 6; do
        make_idevid "$PKI" "many$i"
        echo "many$i" >>"$PKI/devices.csv"
        make_csr "many$i.iot.domain.com" "many$i.csr"
    done
    RELAY_LIMITS=$'orders_in_total = 4\nrenewal_reserve = 0' two_relays 'wait = "50s"'
    for i in 1 2 3 4 5 6; do
        ask "$( ((i % 2)) && echo one || echo two)"
        est "many$i" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@many$i.csr"
        answers+=" $STATUS"
    done
    echo "$answers"
    [ "$answers" = ' 200 200 200 200 429 429' ]
    sed -i 's/orders_in_total = 4/orders_in_total = 40/' two/relay.toml
    kill -HUP "$PID_two"
    wait_for 10 grep -q 'has other domains, labels or limits' one/relay.log
    est-relay check --config two/relay.toml | grep -q 'the relay one runs there with other domains'
}

@test "SCL-13: HAProxy in front of two relays, as in the example: one is killed, and devices are served all the same" {
    local port i
    port=$(free_port)
    relay_files one
    relay_files two
    sed -i 's/^\[listen\]/[listen]\nproxy_protocol = ["127.0.0.1"]/' one/relay.toml two/relay.toml
    relay_of two
    relay_of one
    sed "s/:8443$/127.0.0.1:$port/; s/#server/server/; s/inter 5s/inter 500ms/
        s/192.0.2.11:8443/127.0.0.1:$(sed -n 's/^est = .*:\([0-9]*\)"/\1/p' one/relay.toml)/
        s/192.0.2.12:8443/127.0.0.1:$(sed -n 's/^est = .*:\([0-9]*\)"/\1/p' two/relay.toml)/" \
        "$ROOT/examples/haproxy/haproxy.cfg" >haproxy.cfg
    haproxy -c -f haproxy.cfg
    haproxy -db -f haproxy.cfg 3>&- 2>haproxy.err &
    STARTED+=($!)
    RELAY="https://127.0.0.1:$port/.well-known/est"
    wait_for 10 curl -sf --cacert "$PKI/tls-root.pem" -o cacerts "$RELAY/cacerts"
    for i in 1 2 3 4; do
        make_csr device0001.iot.domain.com "csr$i"
        enrol device0001 simpleenroll "csr$i"
        [ "$STATUS" = 200 ]
    done
    [ "$(grep -c '"event":"decision"' one/relay.log)" -ge 2 ]
    [ "$(grep -c '"event":"decision"' two/relay.log)" -ge 2 ]
    kill -KILL "$PID_one"
    for i in 5 6 7; do
        make_csr device0001.iot.domain.com "csr$i"
        wait_for 10 one_more "csr$i"
    done
    [ "$(issued_for device0001.iot.domain.com)" = 7 ]
}

one_more() { # CSR
    enrol device0001 simpleenroll "$1"
    [ "$STATUS" = 200 ]
}

@test "SCL-14: RADIUS: a device that turns to the other relay gets the certificate that the first one ordered" {
    load ../lib/teap
    local name
    for name in one two; do
        cp -r "$PKI" "$name"
        RADIUS_PORT='' TEAP_ADMIN_PORT='' RELAY_DOMAIN=iot.domain.com write_teap_toml "$PWD/$name" 'hold = "25s"'
        sed -i "1i [store]\npostgresql = \"host=$PG port=$PG_PORT user=relay dbname=$DATABASE\"\ninstance = \"$name\"\nlease = \"3s\"" \
            "$name/teap.toml"
    done
    teap-relay store init --config one/teap.toml
    for name in one two; do
        start_teap "$PWD/$name"
        eval "RADIUS_$name=$(sed -n 's/^radius = .*:\([0-9]*\)"/\1/p' "$name/teap.toml")"
    done
    cp one/secret "$PKI/secret"
    openssl ecparam -genkey -name prime256v1 -noout -out new.key
    make_csr device0001.iot.domain.com csr new.key
    openssl base64 -d -in csr | openssl req -inform DER -out csr.pem
    RADIUS_PORT=$RADIUS_one peer device0001 --csr csr.pem -o first.pem
    RADIUS_PORT=$RADIUS_two peer device0001 --csr csr.pem -o second.pem
    cmp <(openssl x509 -in first.pem) <(openssl x509 -in second.pem)
    [ "$(issued_for device0001.iot.domain.com)" = 1 ]
}

is_held() { [ "$(sql "$DATABASE" "SELECT COUNT(*) FROM leases WHERE what LIKE 'held %'")" = 1 ]; }

# has_looked NAME: this relay has prolonged its lease since, and read what the CA told others.
has_looked() {
    local until
    until=$(sql "$DATABASE" "SELECT MAX(lease_until) + 2 FROM members WHERE instance = '$1'")
    wait_for 10 prolonged "$1" "$until"
}
prolonged() { (($(sql "$DATABASE" "SELECT MAX(lease_until) FROM members WHERE instance = '$1'") >= $2)); }

@test "SCL-26: the CA tells one relay to wait: the other does not ask it either, nor one that starts meanwhile" {
    local name
    for name in a b c; do
        make_idevid "$PKI" "$name"
        echo "$name" >>"$PKI/devices.csv"
        make_csr "$name.iot.domain.com" "$name.csr"
    done
    two_relays 'wait = "20s"' # not for what the CA said
    asked() { est "$1" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@$1.csr"; }
    told() { sed -n 's/^[Rr]etry-[Aa]fter: \([0-9]*\).*/\1/p' "$PKI/headers"; }
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr # the domain is authorized
    [ "$STATUS" = 200 ]
    set_fault retryAfter=35
    set_fault unavailable=newOrder:1
    asked a
    [ "$STATUS" = 503 ]
    [ "$(requests newOrder)" = 2 ]
    # The CA would answer now.
    wait_for 10 is_held
    has_looked two
    ask two
    asked b
    [ "$STATUS" = 503 ]
    [ "$(told)" -ge 20 ]
    grep -q 'the CA told the relay one to wait, which holds for all relays' two/relay.log
    kill "$PID_two"
    wait "$PID_two"
    relay_of two
    has_looked two
    asked c
    [ "$STATUS" = 503 ]
    [ "$(requests newOrder)" = 2 ]
    served() { asked "$1" && [ "$STATUS" = 200 ]; }
    for name in a b c; do wait_for 60 served "$name"; done
    [ "$(requests newOrder)" = 5 ]
}

@test "SCL-45: a fetched CRL is kept in the service's folder for a start without its server, and check says where it cannot be" {
    load ../lib/chains
    local port server
    port=$(free_port)
    mkdir www state
    make_crl www/maker.crl pki/maker -1h
    python3 -m http.server --bind 127.0.0.1 --directory www "$port" >www.log 2>&1 3>&- &
    server=$!
    STARTED+=("$server")
    wait_for 10 curl -sf "http://127.0.0.1:$port/maker.crl" -o fetched
    relay_files one
    sed -i "s|^\[clients.idevid\]|&\ncrl = [\"http://127.0.0.1:$port/maker.crl\"]|" one/relay.toml
    export STATE_DIRECTORY=$PWD/state
    relay_of one
    wait_for 10 eval 'compgen -G "state/crl-*" >copies'
    kill "$PID_one" "$server"
    wait "$PID_one" "$server" || true
    run find one -name '*crl-*'
    [ -z "$output" ]
    relay_of one
    make_csr device0001.iot.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    est-relay check --config one/relay.toml >findings
    grep -q 'ok *clients.idevid: CRL of .* until' findings
    run grep 'can be kept' findings
    [ "$status" -eq 1 ]
    sed -i 's/^\[store\]/&\ncrl_folder = "nowhere"/' one/relay.toml
    run est-relay check --config one/relay.toml
    [[ $output == *'warn  store: no fetched CRL can be kept for the next start: '*one/nowhere*'set crl_folder in [store]'* ]]
}
