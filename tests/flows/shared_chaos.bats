#!/usr/bin/env bats
# Three relays on one PostgreSQL database, of which one after the other is killed, while the database restarts and devices
# enrol. DEVICES says how many, KILLS how often (the suite's numbers are a sample; 1000 and 60 make a soak of ten minutes).

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/soak

DEVICES=${DEVICES:-12}
KILLS=${KILLS:-4}
PATIENCE=${PATIENCE:-180}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PG=$(mktemp -d /tmp/pg.XXXX)
    chmod 755 "$PG"
    init_postgres "$PG"
    start_postgres "$PG"
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
    make_devices 1 "$DEVICES"
}

teardown() {
    stop_devices
    stop_all
    stop_postgres "$PG" immediate || true
    rm -rf "$PG"
}

sql() {
    as_postgres psql -h "$PG" -p "$PG_PORT" -U relay -d postgres -At -v ON_ERROR_STOP=1 -c "$1"
}

# serve NUMBER: a relay; its port is in PORTS, its process in PIDS.
serve() {
    local name=relay$1
    RELAY_PORT=${PORTS[$1]} RELAY_ADMIN_PORT=${ADMINS[$1]} start_relay "$PWD/$name"
    PIDS[$1]=$RELAY_PID
}

est_port() { # one relay after the other
    echo "${PORTS[($1 + $2) % 3]}"
}

@test "SCL-04, SCL-07: relays are killed and the database restarts: each device gets one certificate, no order is finalized twice" {
    local i kill
    PORTS=() ADMINS=() PIDS=()
    for i in 0 1 2; do
        cp -r "$PKI" "relay$i"
        PORTS[i]=$(free_port) ADMINS[i]=$(free_port)
        RELAY_PORT=${PORTS[i]} RELAY_ADMIN_PORT=${ADMINS[i]} RELAY_LIMITS='orders_in_total = 100000' \
            write_relay_toml "$PWD/relay$i" 'wait = "200ms"' 'retry_after = "1s"' 'remember_failure = "1s"'
        printf '[store]\npostgresql = "host=%s port=%s user=relay dbname=postgres"\ninstance = "relay%s"\nlease = "3s"\n' \
            "$PG" "$PG_PORT" "$i" >>"relay$i/relay.toml"
    done
    est-relay store init --config relay0/relay.toml >/dev/null
    for i in 0 1 2; do serve "$i"; done
    for i in 0 1 2 3; do batch $((i * DEVICES / 4 + 1)) $(((i + 1) * DEVICES / 4)); done
    for ((kill = 0; kill < KILLS; kill++)); do
        sleep "0.$((RANDOM % 9 + 1))"
        i=$((kill % 3))
        kill -KILL "${PIDS[i]}"
        wait "${PIDS[i]}" || true
        if ((kill % 10 == 1)); then
            stop_postgres "$PG" immediate
            sleep 0.5
            start_postgres "$PG"
        fi
        serve "$i"
    done
    wait_for_devices
    each_has_one 1 "$DEVICES"
    [ "$(sql 'SELECT COUNT(*) FROM orders WHERE state < 2')" = 0 ]
    [ "$(sql 'SELECT COUNT(*) FROM (SELECT csr_digest FROM certificates GROUP BY csr_digest HAVING COUNT(*) > 1) AS twice')" = 0 ]
    [ "$(sql 'SELECT COUNT(DISTINCT name) = COUNT(*) FROM names')" = t ]
    [ "$(sql 'SELECT COUNT(*) FROM certificates')" = "$DEVICES" ]
}
