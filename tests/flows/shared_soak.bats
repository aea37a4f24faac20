#!/usr/bin/env bats
# An est-relay, which is registrar as well, and a teap-relay on one PostgreSQL database. Devices enrol by EST, BRSKI and TEAP for
# SOAK_SECONDS, while the relays are killed in turn, the database restarts and the CA stands still. The suite's time is a
# sample; tests/soak is ten minutes of it.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/soak
load ../lib/teap
load ../lib/brski

SOAK_SECONDS=${SOAK_SECONDS:-20}
PATIENCE=${PATIENCE:-180}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PG=$(mktemp -d /tmp/pg.XXXX) # short: its socket is there
    chmod 755 "$PG"
    init_postgres "$PG"
    start_postgres "$PG"
    PKI=$PWD/pki
    MAKER=$PWD/masa
    make_pki "$PKI"
    make_registrar_tls "$PKI"
    start_masa "$MAKER"
    start_authority
    mkdir got
}

teardown() {
    stop_devices
    kill -CONT "$CA_PID" || true
    stop_all
    stop_postgres "$PG" immediate || true
    rm -rf "$PG"
}

sql() {
    as_postgres psql -h "$PG" -p "$PG_PORT" -U relay -d postgres -At -v ON_ERROR_STOP=1 -c "$1"
}

# on_database NAME FILE: the configuration of the relay of that name, for any device of both manufacturers: those of one need
# a voucher.
on_database() {
    sed -i "0,/^trust = .*/s||trust = [\"maker.pem\", \"$MAKER/vendor.pem\"]|; s/^inventory = .*/accept_any = true/" "$2"
    sed -i "1i [store]\npostgresql = \"host=$PG port=$PG_PORT user=relay dbname=postgres\"\ninstance = \"$1\"\nlease = \"3s\"" "$2"
}

start_relays() {
    local RELAY_DOMAIN=iot.domain.com RELAY_LIMITS='orders_in_total = 100000'
    cp -r "$PKI" one
    cp -r "$PKI" two
    write_brski "$PWD/one" "$MAKER"
    write_teap_toml "$PWD/two" 'hold = "1s"'
    on_database one one/relay.toml
    on_database two two/teap.toml
    cp two/secret "$PKI/secret"
    est-relay store init --config one/relay.toml >/dev/null
    start_relay "$PWD/one"
    start_teap "$PWD/two"
}

est_port() {
    echo "$RELAY_PORT"
}

# until_it_has NUMBER COMMAND...: the device tries, until it has its certificate or its patience ends.
until_it_has() {
    local number=$1 end=$((SECONDS + PATIENCE))
    shift
    until [ -e "got/$number.pem" ] || ((SECONDS >= end)); do
        if "$@" >>"got/$number.body" 2>&1; then echo 200; else echo "failed"; fi >>"got/$number.statuses"
        [ -e "got/$number.pem" ] || sleep 0.5
    done
}

by_est() { # NUMBER
    make_devices "$1" "$1"
    one_device "$1" || true
}

by_brski() { # NUMBER
    make_pledge "$MAKER" "soak$1"
    until_it_has "$1" brski-pledge run --idevid "soak$1.pem" --key "soak$1.key" --manufacturer-ta "$MAKER/vendor.pem" \
        --registrar "https://127.0.0.1:$RELAY_PORT" --key-out "soak$1.csr.key" --timeout 15s -o "got/$1.pem"
}

by_teap() { # NUMBER
    make_idevid "$PKI" "soak$1"
    make_csr "soak$1.iot.domain.com" "soak$1.csr"
    openssl base64 -d -in "soak$1.csr" | openssl req -inform DER -out "soak$1.csr.pem"
    until_it_has "$1" enrolled_by_teap "$1"
}

enrolled_by_teap() { # NUMBER
    peer "soak$1" --csr "soak$1.csr.pem" --timeout 15s -o "got/$1.pem"
}

# devices KIND FIRST STEP: one device after the other, until the time is over.
devices() {
    local number prefix=''
    [ "$1" = est ] || prefix=${1:0:1}
    (for ((number = $2; SECONDS < END; number += $3)); do
        echo "$prefix$number" >>"asked.$1"
        "by_$1" "$prefix$number"
    done) 3>&- &
    BATCHES+=($!)
}

# fault NUMBER: one of four, in turn. Every second time, a killed relay is away for longer than its lease: the other one takes over
# what it drove.
fault() {
    local away=0
    (($1 % 8 < 4)) || away=4
    case $(($1 % 4)) in
    0)
        kill -KILL "$RELAY_PID"
        wait "$RELAY_PID" || true
        sleep "$away"
        start_relay "$PWD/one"
        ;;
    1)
        stop_postgres "$PG" immediate
        sleep 0.5
        start_postgres "$PG"
        ;;
    2)
        kill -KILL "$TEAP_PID"
        wait "$TEAP_PID" || true
        sleep "$away"
        start_teap "$PWD/two"
        ;;
    3)
        # Once in a while for longer than whoever asks it waits.
        kill -STOP "$CA_PID"
        if (($1 % 32 == 31)); then sleep 40; else sleep $((1 + away / 2)); fi
        kill -CONT "$CA_PID"
        ;;
    esac
}

nothing_is_open() {
    [ "$(sql 'SELECT COUNT(*) FROM orders WHERE state < 2')" = 0 ]
}

# each_asks_again KIND COMMAND: the same request gets the same certificate.
each_asks_again() {
    local number
    while read -r number; do
        mv "got/$number.pem" "got/$number.first"
        "$2" "$number"
        cmp <(openssl x509 -in "got/$number.first") <(openssl x509 -in "got/$number.pem")
    done <"asked.$1"
}

@test "SCL-25: EST, BRSKI and TEAP while relays are killed, the database restarts and the CA stands still: nothing is lost, stuck or done twice" {
    local number kind faults
    start_relays
    END=$((SECONDS + SOAK_SECONDS))
    devices est 1 2
    devices est 2 2
    devices brski 1 1
    devices teap 1 1
    for ((faults = 0; SECONDS < END; faults++)); do
        sleep "0.$((RANDOM % 9 + 1))"
        fault "$faults"
    done
    wait_for_devices
    wait_for 60 nothing_is_open
    ISSUED=$(acme-ca list --dir ca | jq -r '.certificates[].identifiers[0].value')
    for kind in est brski teap; do
        while read -r number; do has_one "$number"; done <"asked.$kind"
        echo "# $kind: $(wc -l <"asked.$kind") devices" >&3
    done
    echo "# $faults faults; answers: $(cat got/*.statuses | sort | uniq -c | xargs)" >&3
    # What the CA made is what the relays know, by serial number, each once.
    acme-ca list --dir ca | jq -r '.certificates[].serial | ascii_downcase' | sort >made
    sql 'SELECT lower(serial) FROM certificates' | sort >known
    diff made known
    [ -z "$(uniq -d made)" ]
    [ "$(cat asked.* | wc -l)" = "$(wc -l <made)" ]
    [ -z "$(sql 'SELECT csr_digest FROM certificates GROUP BY csr_digest HAVING COUNT(*) > 1')" ]
    [ "$(sql 'SELECT COUNT(DISTINCT name) = COUNT(*) FROM names')" = t ]
    # Each order that the CA finalized, once.
    [ -z "$(jq -r 'select(.resource == "finalize") | .path' "$CA_LOG" | sort | uniq -d)" ]
    # Each pledge has its voucher, which the manufacturer wrote down.
    [ "$(sql "SELECT COUNT(*) FROM brski_devices WHERE state = 'forwarded'")" = "$(wc -l <asked.brski)" ]
    while read -r number; do [ "$(masa_events "soak$number")" -ge 1 ]; done <asked.brski
    # Who asks again has what it got.
    each_asks_again est one_device
    each_asks_again teap enrolled_by_teap
    [ "$(acme-ca list --dir ca | jq '.certificates | length')" = "$(wc -l <made)" ]
}
