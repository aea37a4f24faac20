#!/usr/bin/env bats
# What happens to the database's server that relays share: another one takes its place, its disk is full, its clock is not
# theirs: docs/SCALING.md.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/shared

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PG=$(mktemp -d /tmp/pg.XXXX) # short: its socket is there
    STANDBY=$PG/standby FULL=''
    chmod 755 "$PG"
    DATABASE=relays PG_PORT=''
    init_postgres "$PG"
    start_postgres "$PG"
    PRIMARY_PORT=$PG_PORT
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
}

teardown() {
    stop_all
    stop_postgres "$PG" immediate || true
    stop_postgres "$STANDBY" immediate || true
    if [ -n "$FULL" ]; then umount "$FULL"; fi
    rm -rf "$PG"
}

ready() { # NAME
    ask "$1"
    curl -sf "$RELAY_ADMIN/readyz"
}

asked() { # CSR: what device0001 gets for it, in STATUS
    STATUS=none
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@$1"
}

# with_standby: a streaming standby, which each commit waits for. The relays name it first.
with_standby() {
    make_standby "$STANDBY" "$PG" "$PRIMARY_PORT"
    STANDBY_PORT=$(free_port)
    PG_PORT=$STANDBY_PORT start_postgres "$STANDBY"
    sql postgres "CREATE DATABASE $DATABASE" >/dev/null
    sql postgres "ALTER SYSTEM SET synchronous_standby_names = '*'" >/dev/null
    sql postgres 'SELECT pg_reload_conf()' >/dev/null
    wait_for 20 is_synchronous
    STORE="postgresql://relay@127.0.0.1:$STANDBY_PORT,127.0.0.1:$PRIMARY_PORT/$DATABASE?target_session_attrs=read-write"
}

is_synchronous() {
    [ "$(sql postgres 'SELECT sync_state FROM pg_stat_replication')" = sync ]
}

@test "SCL-16: the primary is lost and the standby promoted: relays go on without a restart, and nothing is lost or done twice" {
    with_standby
    two_relays 'wait = "500ms"' 'retry_after = "1s"'
    # The standby is asked first, and is not taken.
    est-relay store status --config one/relay.toml | grep -q "127.0.0.1:$PRIMARY_PORT/$DATABASE"
    make_csr device0001.iot.domain.com first.csr
    enrol device0001 simpleenroll first.csr
    [ "$STATUS" = 200 ]
    got first.pem
    # One more is under way.
    under_way 3
    stop_postgres "$PG" immediate
    make_csr device0001.iot.domain.com next.csr
    asked next.csr
    [ "$STATUS" = 503 ]
    grep -qi '^Retry-After: ' "$PKI/headers"
    # There is only the standby now, which takes nothing.
    run est-relay store status --config one/relay.toml
    [ "$status" -eq 74 ]
    wait_for 10 grep -q 'read-only\|refused' one/relay.log
    as_postgres pg_ctl -D "$STANDBY/data" -w promote >/dev/null
    wait_for 30 ready two
    wait_for 30 ready one
    est-relay store status --config one/relay.toml | grep -q "127.0.0.1:$STANDBY_PORT/$DATABASE"
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    enrol device0001 simpleenroll next.csr
    [ "$STATUS" = 200 ]
    enrol device0001 simpleenroll first.csr
    [ "$STATUS" = 200 ]
    got again.pem
    cmp first.pem again.pem
    [ "$(issued_for device0001.iot.domain.com)" = 3 ]
    [ "$(requests newOrder)" = 3 ]
    [ "$(requests finalize)" = 3 ]
    # One waits at the other for what the first drives: notices come from the new server, too.
    set_fault processing=1
    make_csr device0001.iot.domain.com both.csr
    asked both.csr
    ask two
    enrol device0001 simpleenroll both.csr
    [ "$STATUS" = 200 ]
    [ "$(issued_for device0001.iot.domain.com)" = 4 ]
}

@test "SCL-16: only a standby: nothing starts there, and the error says what to do" {
    with_standby
    relay_files one
    STORE="postgresql://relay@127.0.0.1:$STANDBY_PORT/$DATABASE?target_session_attrs=read-write"
    sed -i "s|^postgresql = .*|postgresql = \"$STORE\"|" one/relay.toml
    run est-relay serve --config one/relay.toml
    [ "$status" -eq 74 ]
    [[ $output == *"127.0.0.1:$STANDBY_PORT"*'read-only'* ]]
    # The same without the condition: it is connected to, and cannot be written to.
    sed -i 's|?target_session_attrs=read-write||' one/relay.toml
    run est-relay serve --config one/relay.toml
    [ "$status" -eq 74 ]
    [[ $output == *'read-only transaction'*'target_session_attrs=read-write'* ]]
    run est-relay check --config one/relay.toml
    [ "$status" -eq 78 ]
    [[ $output == *'target_session_attrs=read-write'* ]]
}

# on_small_disk: the database on a file system of its own of 24 MB, which is not that of the server's log.
on_small_disk() {
    local place=$PG/full
    mkdir "$place"
    if ! mount -t tmpfs -o size=24m none "$place" 2>/dev/null; then
        skip "a file system of its own cannot be mounted here"
    fi
    FULL=$place
    mkdir "$FULL/data"
    ((EUID != 0)) || chown postgres "$FULL/data"
    sql postgres "CREATE TABLESPACE small LOCATION '$FULL/data'" >/dev/null
    sql postgres "CREATE DATABASE $DATABASE TABLESPACE small" >/dev/null
}

@test "SCL-17: the disk of the database's server is full: 503 meanwhile; afterwards all that was under way ends" {
    on_small_disk
    RELAY_LIMITS='orders_per_device = 100' two_relays 'wait = "15s"' 'retry_after = "1s"'
    local i served=0
    for ((i = 0; i < 60; i++)); do
        if ((i == 2)); then dd if=/dev/zero of="$FULL/ballast" bs=4k 2>/dev/null || true; fi
        make_csr device0001.iot.domain.com "csr$i"
        asked "csr$i"
        [ "$STATUS" = 200 ] || break
        served=$((served + 1))
    done
    echo "$served served before the disk was full"
    [ "$served" -ge 2 ]
    # The order could not be written; or its certificate, for which the relay waits.
    [ "$STATUS" = 503 ] || [ "$STATUS" = 202 ]
    if [ "$STATUS" = 503 ]; then grep -q "the disk of the database's server is full" one/relay.log; fi
    rm "$FULL/ballast"
    wait_for 20 ready one
    enrol device0001 simpleenroll "csr$i"
    [ "$STATUS" = 200 ]
    enrol device0001 simpleenroll csr0
    [ "$STATUS" = 200 ]
    [ "$(issued_for device0001.iot.domain.com)" = $((served + 1)) ]
    [ "$(requests finalize)" = $((served + 1)) ]
    [ "$(sql "$DATABASE" 'SELECT COUNT(*) FROM orders WHERE state < 2')" = 0 ]
}

@test "SCL-18: one relay's clock is a day ahead: it keeps its lease and its orders, and others take them over only when it ends" {
    sql postgres "CREATE DATABASE $DATABASE" >/dev/null
    # A machine that stands still for six seconds costs no lease.
    LEASE=10s relay_files one 'wait = "0s"' 'retry_after = "1s"'
    LEASE=10s relay_files two 'wait = "0s"' 'retry_after = "1s"'
    relay_of two
    RELAY_CLOCK=+1d relay_of one
    # Longer than two leases.
    under_way 21
    [ "$(sql "$DATABASE" "SELECT MIN(created) > extract(epoch FROM now()) + 80000 FROM orders WHERE state < 2")" = t ]
    # Each sees the others when it prolongs its own lease.
    both_are_known() { est-relay status --config two/relay.toml --json | jq -e '[.relays[].instance] == ["one", "two"]'; }
    wait_for 10 both_are_known
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    run ! grep -q 'took over' two/relay.log
    run ! grep -q 'took over\|the store was away' one/relay.log
    rm csr.key # another request
    under_way 5
    kill -KILL "$PID_one"
    wait_for 15 grep -q 'took over 1 orders of one#' two/relay.log
    ask two
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 2 ]
    [ "$(requests finalize)" = 2 ]
}

@test "SCL-19: tables of an earlier version: nothing runs on them, and all say that they have to be brought up to date" {
    sql postgres "CREATE DATABASE $DATABASE" >/dev/null
    relay_files one
    sql "$DATABASE" 'UPDATE store_schema SET version = 4' >/dev/null
    local command
    for command in serve check 'store status'; do
        # shellcheck disable=SC2086
        run est-relay $command --config one/relay.toml
        [ "$status" -eq 78 ]
        [[ $output == *'of version 4'*'store upgrade'* ]]
    done
    [ "$(sql "$DATABASE" 'SELECT version FROM store_schema')" = 4 ]
}

@test "OPR-39, SCL-19: store upgrade brings tables without numbers of orders up to date, as owner, and devices keep what they have" {
    sql postgres "CREATE DATABASE $DATABASE" >/dev/null
    relay_files one
    make_csr device0001.iot.domain.com csr
    relay_of one
    ask one
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    kill "$PID_one"
    wait "$PID_one" || true
    sql "$DATABASE" 'DROP INDEX orders_device' >/dev/null
    sql "$DATABASE" 'ALTER TABLE orders DROP COLUMN number' >/dev/null
    sql "$DATABASE" 'UPDATE store_schema SET version = 7' >/dev/null
    run -78 est-relay serve --config one/relay.toml
    est-relay store upgrade --config one/relay.toml
    [ "$(sql "$DATABASE" 'SELECT version FROM store_schema')" = 8 ]
    [ "$(sql "$DATABASE" "SELECT MIN(number) FROM orders WHERE device LIKE 'device0001@%'")" = 1 ]
    [ "$(sql "$DATABASE" "SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'orders_device'")" = 1 ]
    est-relay store upgrade --config one/relay.toml # again, with nothing to do
    est-relay devices --config one/relay.toml | grep -q '^device0001 *issued'
    relay_of one
    ask one
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    [ "$(requests newOrder)" = 1 ]
}
