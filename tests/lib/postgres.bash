# Sourced after common.bash: a PostgreSQL server of one's own.

# as_postgres COMMAND...: the server refuses to run as root.
as_postgres() {
    local programs
    programs=(/usr/lib/postgresql/*/bin)
    if ((EUID == 0)); then
        env -C / PATH="${programs[-1]}:$PATH" setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    else
        env PATH="${programs[-1]}:$PATH" "$@"
    fi
}

# init_postgres FOLDER [LINE...]: a cluster in FOLDER/data, whose socket is in FOLDER and whose superuser is "relay".
# LINEs are of postgresql.conf. Nothing that a test finds out depends on fsync.
init_postgres() {
    local folder=$1
    shift
    mkdir -p "$folder"
    ((EUID != 0)) || chown postgres "$folder"
    as_postgres initdb -D "$folder/data" -U relay -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions >/dev/null
    printf '%s\n' "unix_socket_directories = '$folder'" 'fsync = off' 'max_connections = 200' "$@" \
        >>"$folder/data/postgresql.conf"
}

# start_postgres FOLDER [OPTION...]: until it takes connections. Sets PG_PORT at the first time.
start_postgres() {
    local folder=$1
    shift
    PG_PORT=${PG_PORT:-$(free_port)}
    # pg_ctl waits; the server stays when the shell ends.
    as_postgres pg_ctl -D "$folder/data" -l "$folder/log" -w -t 180 -o "-p $PG_PORT -h 127.0.0.1 $*" start >/dev/null || {
        cat "$folder/log" >&2
        return 1
    }
}

# stop_postgres FOLDER [MODE]: fast unless told (smart, immediate).
stop_postgres() {
    as_postgres pg_ctl -D "$1/data" -m "${2:-fast}" -w stop >/dev/null
}

# make_standby FOLDER PRIMARY PORT: a streaming standby in FOLDER of the server in the folder PRIMARY, at that port.
make_standby() {
    mkdir -p "$1"
    ((EUID != 0)) || chown postgres "$1"
    as_postgres pg_basebackup -d "host=$2 port=$3 user=relay" -D "$1/data" -R -X stream -c fast
    echo "unix_socket_directories = '$1'" >>"$1/data/postgresql.conf"
}

# on_postgresql FILE PROGRAM: gives the configuration a database of its own where the tests run by with-postgresql, unless
# it names one. It is the same after the file was written anew.
on_postgresql() {
    local file=$1 program=$2
    [[ -n ${ACMETOOL_POSTGRESQL:-} ]] && ! grep -q '^\[store\]' "$file" || return 0
    if [[ ! -e $file.database ]]; then
        echo "d$(date +%s%N)$RANDOM" >"$file.database"
        psql "$ACMETOOL_POSTGRESQL dbname=postgres" -qc "CREATE DATABASE $(<"$file.database")"
    fi
    # First: tests add lines to the last section.
    sed -i "1i [store]\npostgresql = \"$ACMETOOL_POSTGRESQL dbname=$(<"$file.database")\"\nlease = \"3s\"" "$file"
    "$program" store init --config "$file" >/dev/null
}

# only_sqlite: this test has the file of SQLite and looks into it, wherever the databases of the others are.
only_sqlite() {
    unset ACMETOOL_POSTGRESQL
}
