# Relays "one" and "two" on the PostgreSQL server in PG, database DATABASE. Needs common.bash, ca.bash and relay.bash.

PID_one='' PID_two=''

sql() { # DATABASE STATEMENT
    as_postgres psql -h "$PG" -p "$PG_PORT" -U relay -d "$1" -At -v ON_ERROR_STOP=1 -c "$2"
}

# relay_files NAME [LINE...]: the folder NAME with the configuration of a relay of that name on the database; LINEs go into
# [est]. The first one creates the tables. STORE may be another connection string, LEASE a longer lease than the least.
relay_files() {
    local name=$1
    shift
    cp -r "$PKI" "$name"
    RELAY_PORT='' RELAY_ADMIN_PORT=''
    write_relay_toml "$PWD/$name" "$@"
    printf '[store]\npostgresql = "%s"\ninstance = "%s"\nlease = "%s"\n' \
        "${STORE:-host=$PG port=$PG_PORT user=${PG_USER:-relay} dbname=$DATABASE}" "$name" "${LEASE:-3s}" >>"$name/relay.toml"
    [ -n "${TABLES:-}" ] || est-relay store init --config "$name/relay.toml" >tables
    TABLES=there
}

# relay_of NAME: starts it; est and enrol ask it from now on.
relay_of() {
    RELAY_PORT=$(sed -n 's/^est = "127.0.0.1:\(.*\)"/\1/p' "$1/relay.toml")
    RELAY_ADMIN_PORT=$(sed -n 's/^admin = "127.0.0.1:\(.*\)"/\1/p' "$1/relay.toml")
    start_relay "$PWD/$1"
    eval "PID_$1=$RELAY_PID"
    ask "$1"
}

# ask NAME: est and enrol ask this relay from now on.
ask() {
    RELAY="https://127.0.0.1:$(sed -n 's/^est = "127.0.0.1:\(.*\)"/\1/p' "$1/relay.toml")/.well-known/est"
    RELAY_ADMIN="http://127.0.0.1:$(sed -n 's/^admin = "127.0.0.1:\(.*\)"/\1/p' "$1/relay.toml")"
}

two_relays() { # [LINE...]
    relay_files one "$@"
    relay_files two "$@"
    relay_of two
    relay_of one
}

got() { # FILE: the certificate of the last reply
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$1"
}

issued_for() { # NAME: how many certificates the CA made
    acme-ca list --dir ca | jq "[.certificates[] | select(.identifiers[0].value == \"$1\")] | length"
}

# under_way SECONDS: relay one has an order, which the CA takes so long to finalize.
under_way() {
    local before
    before=$(requests finalize)
    set_fault "processing=$1"
    make_csr device0001.iot.domain.com csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 202 ]
    wait_for 10 eval "((\$(requests finalize) > $before))"
}
