# shellcheck disable=SC2154 # bench/run sets what is not set here
# The store part of bench/run: est-relay on its SQLite file and on PostgreSQL over loopback, in turns. Sourced by it.
#
# PostgreSQL keeps its defaults but for its place: each commit waits for the disk, as SQLite's does. "commits" and "WAL kB" are
# the server's own counts for one enrolment, of all of the relay's connections.
store() {
    local clients kind round place=$folder/pg
    prepare_relays_on "$place"
    echo
    echo "Stores: simpleenroll, a new TLS 1.3 connection for each, medians of $est_rounds turns; goal: 0.70x"
    printf '%8s %12s %12s %8s %10s %10s %9s %8s\n' clients "SQLite/s" "PostgreSQL/s" ratio "p50 ms" "p50 ms" commits "WAL kB"
    for clients in 1 8 16; do
        : >rates.sqlite
        : >rates.postgresql
        for ((round = 0; round < est_rounds; round++)); do
            for kind in sqlite postgresql; do one_store "$kind" "$clients" >>"rates.$kind"; done
        done
        store_row "$clients"
    done
    stop_postgres "$place" immediate
}

# prepare_relays_on FOLDER: PostgreSQL there, and the files of bench-relay in pki and ca-est.
prepare_relays_on() {
    mkdir -p "$1"
    chmod 755 "$folder" "$1"
    PG_PORT=''
    init_postgres "$1" 'fsync = on'
    start_postgres "$1"
    make_pki pki
    touch pki/acct.json
    mkdir -p ca-est
}

on_server() { # STATEMENT
    as_postgres psql -h "$place" -p "$PG_PORT" -U relay -d postgres -At -c "$1"
}

# one_store KIND CLIENTS: rate, p50, commits and octets of WAL an enrolment.
one_store() {
    local rate p50 before after
    if [[ $1 == postgresql ]]; then
        on_server 'DROP DATABASE IF EXISTS bench WITH (FORCE)' >/dev/null 2>&1
        on_server 'CREATE DATABASE bench' >/dev/null
        start_bench_relay 'orders_in_total = 10000000' '[store]' \
            "postgresql = \"host=127.0.0.1 port=$PG_PORT user=relay dbname=bench\""
        before=$(on_server "SELECT xact_commit, pg_current_wal_lsn() - '0/0' FROM pg_stat_database WHERE datname = 'bench'")
    else
        start_bench_relay 'orders_in_total = 10000000'
    fi
    read -r rate p50 _ < <(est_load simpleenroll "$2" 1.3 --rounds 1 --requests "$est_requests")
    if [[ $1 == postgresql ]]; then
        sleep 1.2 # until the server has counted
        after=$(on_server "SELECT xact_commit, pg_current_wal_lsn() - '0/0' FROM pg_stat_database WHERE datname = 'bench'")
    fi
    stop_relay
    awk -v rate="$rate" -v p50="$p50" -v n="$est_requests" -v before="${before:-0|0}" -v after="${after:-0|0}" 'BEGIN {
        split(before, b, "|"); split(after, a, "|")
        print rate, p50, (a[1] - b[1]) / n, (a[2] - b[2]) / n / 1000 }'
}

median() { # FILE COLUMN
    awk -v column="$2" '{ print $column }' "$1" | sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

store_row() { # CLIENTS
    local sqlite postgresql
    sqlite=$(median rates.sqlite 1) postgresql=$(median rates.postgresql 1)
    printf '%8s %12s %12s %8s %10s %10s %9.1f %8.1f\n' "$1" "$sqlite" "$postgresql" "$(ratio "$postgresql" "$sqlite")" \
        "$(median rates.sqlite 2)" "$(median rates.postgresql 2)" "$(median rates.postgresql 3)" "$(median rates.postgresql 4)"
}
