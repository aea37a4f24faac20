# acme-ca on loopback. Needs common.bash.

# start_ca DIR [OPTION...]: sets CA_DIRECTORY, CA_FILE, CA_ROOT, CA_PID, CA_LOG and, with --admin, CA_ADMIN. It can be started
# again at its port, which no client of others gets meanwhile.
start_ca() {
    local dir=$1
    shift
    CA_LOG="$dir.requests"
    : >"$dir.ready"
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS acme-ca serve --dir "$dir" --listen "${CA_LISTEN:-127.0.0.1:$(free_port)}" \
        --admin 127.0.0.1:0 --request-log "$CA_LOG" "$@" >"$dir.ready" 2>"$dir.err" &
    CA_PID=$!
    STARTED+=("$CA_PID")
    if ! wait_for 20 contains "$dir.ready" rootFile; then
        cat "$dir.err" >&2
        return 1
    fi
    CA_DIRECTORY=$(json_value directory "$dir.ready")
    CA_ADMIN=$(json_value admin "$dir.ready")
    CA_FILE="$dir/tls-ca.pem"
    CA_ROOT="$dir/root.pem"
    export CA_ADMIN CA_FILE CA_ROOT
}

# json_value MEMBER FILE: the first string member of that name; for places without jq.
json_value() {
    local all
    read -rd '' all <"$2" || true
    [[ $all =~ \"$1\":\ *\"([^\"]*)\" ]] && echo "${BASH_REMATCH[1]}"
}

# set_fault NAME=VALUE
set_fault() {
    curl -sf --data-binary "$1" "$CA_ADMIN" >/dev/null
}

# requests RESOURCE: how many the CA answered.
requests() {
    grep -c "\"resource\":\"$1\"" "$CA_LOG" || [ $? = 1 ] # none is a count, too
}
