#!/usr/bin/env bats
# Devices enrol by EST while what they need dies, fills up or tells the wrong time. DEVICES says how many enrol in each
# test, KILLS how often a process is killed (the suite's numbers are a sample; 200 and 100 make a soak of some minutes).

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/soak
load ../lib/small_disk

DEVICES=${DEVICES:-4}
KILLS=${KILLS:-3}
PATIENCE=${PATIENCE:-120}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    start_knot "$PWD/knot" domain.com
    KNOT_PID=${STARTED[-1]}
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    ACCOUNT=$PWD/acct.json
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos --account "$ACCOUNT" >/dev/null
}

teardown() {
    stop_devices
    stop_all
    unmount_small_disk
}

relay() { # LINE...: of [est], and sections behind it
    write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"' 'remember_failure = "1s"' "$@"
    start_relay "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"
}

est_port() {
    echo "$RELAY_PORT"
}

# all_well FIRST LAST: each has a certificate for its name and key, the CA made one for each, the store is whole.
all_well() {
    local i store=${STORE:-$PKI/relay.db}
    each_has_one "$1" "$2"
    for ((i = $1; i <= $2; i++)); do
        openssl verify -CAfile "$CA_ROOT" -untrusted <(ca_chain) "got/$i.pem" >/dev/null
    done
    curl -sf "$RELAY_ADMIN/readyz" >/dev/null
    kill -TERM "$RELAY_PID"
    wait "$RELAY_PID"
    [ "$(sqlite3 "$store" 'PRAGMA integrity_check')" = ok ]
    [ "$(sqlite3 "$store" 'SELECT COUNT(*) FROM orders WHERE state < 2')" = 0 ]
    [ "$(sqlite3 "$store" 'SELECT COUNT(DISTINCT csr_digest) = COUNT(*) FROM certificates')" = 1 ]
}

ca_chain() {
    curl -s --cacert "$PKI/tls-root.pem" "$RELAY/cacerts" | openssl base64 -d | openssl pkcs7 -inform DER -print_certs
}

restart_ca() {
    CA_LISTEN=${CA_DIRECTORY#https://}
    CA_LISTEN=${CA_LISTEN%/directory} start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
}

short_wait() { # MILLISECONDS: a random time below
    sleep "$(printf '%d.%03d' $(($1 / 1000)) $((RANDOM % $1 % 1000)))"
}

# rounds COMMAND: KILLS times: some devices begin, and COMMAND kills and restarts in their midst.
rounds() {
    local i first=1 last
    for ((i = 1; i <= KILLS; i++)); do
        last=$((DEVICES * i / KILLS))
        batch "$first" "$last"
        first=$((last + 1))
        short_wait 700
        "$@"
    done
    wait_for_devices
}

kill_ca() {
    kill -9 "$CA_PID"
    wait "$CA_PID" 2>/dev/null || true
    restart_ca
}

kill_relay() {
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" 2>/dev/null || true
    start_relay "$PKI"
}

@test "INT-12b: acme-ca killed while devices enrol: each gets its certificate, by one order" {
    only_sqlite
    make_devices 1 "$DEVICES"
    relay
    rounds kill_ca
    all_well 1 "$DEVICES"
}

@test "INT-12b, INT-16b: est-relay killed while devices enrol: each gets its certificate, by one order" {
    only_sqlite
    make_devices 1 "$DEVICES"
    relay
    rounds kill_relay
    all_well 1 "$DEVICES"
}

@test "the DNS server is away and comes back: enrolment goes on by itself" {
    only_sqlite
    make_devices 1 "$DEVICES"
    RELAY_DOMAIN_LINES='preauthorize = false' write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"' 'remember_failure = "1s"'
    start_relay "$PKI"
    kill -9 "$KNOT_PID"
    wait "$KNOT_PID" 2>/dev/null || true
    batch 1 "$DEVICES"
    wait_for 30 grep -q '^5' got/1.statuses
    [ ! -e got/1.pem ]
    knotd -c knot/knot.conf >>knot/knot.log 2>&1 &
    STARTED+=($!)
    wait_for_devices
    all_well 1 "$DEVICES"
}

@test "the store's disk is full: 5xx, nothing lost, and all goes on once there is room" {
    only_sqlite
    small_disk 2
    make_devices 1 "$DEVICES"
    STORE=$FULL/relay.db
    set_fault processing=1
    relay '[store]' "sqlite = \"$STORE\""
    local half=$((DEVICES / 2))
    batch 1 "$half" # its orders are under way
    wait_for 30 grep -q 202 got/1.statuses
    fill
    batch $((half + 1)) "$DEVICES"
    wait_for 30 grep -q '^5' got/$((half + 1)).statuses
    rm "$FULL/ballast"
    wait_for_devices
    all_well 1 "$DEVICES"
}

@test "the relay's clock is a day ahead, then a day behind, then right: devices are refused clearly or served" {
    only_sqlite
    make_devices 1 "$DEVICES"
    relay
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" 2>/dev/null || true
    # Ahead, and the CA is not there: what failed then is not held against the devices later.
    kill -9 "$CA_PID"
    wait "$CA_PID" 2>/dev/null || true
    RELAY_CLOCK=+1d start_relay "$PKI"
    batch 1 1
    wait_for 60 grep -q 503 got/1.statuses
    stop_devices
    wait_for_devices
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" 2>/dev/null || true
    restart_ca
    RELAY_CLOCK=-1d start_relay "$PKI"
    # The device's certificate is not valid yet, and the relay says no.
    batch 2 2
    wait_for_devices
    grep -qx 401 got/2.statuses
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" 2>/dev/null || true
    start_relay "$PKI"
    batch 1 "$DEVICES"
    wait_for_devices
    all_well 1 "$DEVICES"
}
