#!/usr/bin/env bats
# Who waits for whom: readers that have stopped, pipes that nobody reads, and a second server for one folder or database.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/processes
load ../lib/ca
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    export RELAY_DOMAIN=domain.com
    make_issuer "$PKI" # a program: little of this is about ACME
}

teardown() {
    stop_all
}

# idle_reader NAME: the FIFO NAME, full, and its reader's process in READER; it copies to NAME.got once it reads.
idle_reader() {
    mkfifo "$1"
    python3 "$ROOT/tests/lib/idle_reader.py" "$1" "$1.got" >"$1.ready" 3>&- &
    READER=$!
    STARTED+=("$READER")
    wait_for 20 grep -q ready "$1.ready"
}

# all_404 URL COUNT: each of so many requests is answered.
all_404() {
    [ "$(curl -sk --max-time 240 -o /dev/null -w '%{http_code}\n' "$1/[1-$2]" | grep -c '^404$')" = "$2" ]
}

metric() { # NAME: its value at est-relay
    curl -s --max-time 10 "http://127.0.0.1:$RELAY_ADMIN_PORT/metrics" | sed -n "s/^$1 //p"
}
metric_is() { [ "$(metric "$1")" = "$2" ]; }

@test "SEC-28: est-relay serves while nobody reads its log and trace, tells of what it dropped, and ends by SIGTERM" {
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    idle_reader log
    idle_reader trace
    local trace_reader=$READER log_reader=${STARTED[0]} admin="http://127.0.0.1:$RELAY_ADMIN_PORT"
    start est-relay serve --config "$PKI/relay.toml" --log-format json -vv --show flow --trace trace 2>log
    wait_for 20 grep -q admin ready
    all_404 "https://127.0.0.1:$RELAY_PORT/.well-known/est" 6000
    [ "$(curl -s --max-time 10 "$admin/healthz")" = ok ]
    [ "$(curl -sk -o /dev/null -w '%{http_code}\n' "https://127.0.0.1:$RELAY_PORT/.well-known/est/cacerts?[1-20]" | grep -c 200)" = 20 ]
    wait_for 10 metric_is acmetool_output_stalled 2
    [ "$(metric 'acmetool_output_dropped_lines_total{output="log"}')" -gt 0 ]
    curl -sf --max-time 10 "$admin/readyz" >page
    [ "$(head -n 1 page)" = ready ]
    grep -E '^warning: log: it has no reader, [0-9]+ octets wait, [0-9]+ lines were dropped$' page
    grep '^warning: trace: it has no reader' page
    est-relay status --config "$PKI/relay.toml" --json |
        jq -e '[.outputs[] | select(.stalled and .waiting > 0)] | length == 2'

    kill -USR1 "$log_reader" "$trace_reader"
    wait_for 30 metric_is acmetool_output_stalled 0
    wait_for 30 grep -q 'lines of this log were dropped' log.got
    all_404 "https://127.0.0.1:$RELAY_PORT/.well-known/est" 1
    [ "$(metric 'acmetool_output_dropped_lines_total{output="trace"}')" = 0 ] || grep -q 'messages dropped' trace.got

    kill -STOP "$log_reader" "$trace_reader"
    all_404 "https://127.0.0.1:$RELAY_PORT/.well-known/est" 2000
    ends 0 "$PID"
    kill -CONT "$log_reader" "$trace_reader"
}

@test "SEC-28: teap-relay answers every conversation while nobody reads its log, and ends by SIGTERM" {
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    idle_reader log
    start teap-relay serve --config "$PKI/teap.toml" -vv --show flow 2>log
    wait_for 20 grep -q radius ready
    for _ in 1 2 3 4 5; do
        run peer stranger9999 --timeout 120s
        [ "$status" = 77 ]
    done
    [ "$(curl -s --max-time 10 "http://127.0.0.1:$TEAP_ADMIN_PORT/healthz")" = ok ]
    ends 0 "$PID"
}

@test "SEC-28: acme-ca answers while nobody reads its request log, says so, and ends by SIGTERM" {
    idle_reader requests
    idle_reader log
    start acme-ca serve --dir ca --listen 127.0.0.1:0 --admin 127.0.0.1:0 --request-log requests 2>log
    wait_for 20 grep -q rootFile ready
    local ca
    ca=$(json_value directory ready)
    all_404 "${ca%/directory}/nothing" 20
    curl -sk --max-time 10 "$ca" | jq -e .newOrder
    admin=$(json_value admin ready)
    stalled() { curl -s --max-time 10 "${admin%/faults}/healthz" | grep '^warning: request log: it has no reader'; }
    wait_for 10 stalled
    ends 0 "$PID"
}

@test "SEC-28: brski-masa takes every status while nobody reads its log, and ends by SIGTERM" {
    local port
    port=$(free_port)
    brski-masa make-idevid --dir masa --serial pledgeid --key-out pledgeid.key -o pledgeid.pem
    echo 'pledgeid,redirect,https://ra.example' >cloud.csv
    idle_reader log
    start brski-masa serve --dir masa --listen "127.0.0.1:$port" --cloud cloud.csv 2>log
    wait_for 20 grep -q pid ready
    for _ in $(seq 20); do
        curl -s --max-time 10 --cacert masa/vendor.pem --cert pledgeid.pem --key pledgeid.key -o /dev/null -w '%{http_code}\n' \
            -H 'Content-Type: application/json' --data-binary '{"version": 1, "status": true}' \
            "https://127.0.0.1:$port/.well-known/brski/voucher_status"
    done >codes
    [ "$(grep -c '^200$' codes)" = 20 ]
    ends 0 "$PID"
}

# second COMMAND...: a second server for what PID holds says so, ends by SIGTERM, and serves once the first has gone.
second() {
    local first=$PID
    wait_for 20 grep -q pid ready
    start "$@" 2>err
    wait_for 20 grep -q "warning: waiting for another run (process $first) that holds" err
    ends 143 "$PID"
    [ ! -s ready ]
    start "$@" 2>err
    wait_for 20 grep -q "process $first" err
    ends 0 "$first"
    wait_for 20 grep -q "\"pid\": $PID" ready
    ends 0 "$PID"
}

@test "FLD-U1: a second server for one database or folder names the first, ends by SIGTERM, and takes over" {
    write_relay_toml "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    by_program "$PKI" "$PKI/teap.toml"
    start est-relay serve --config "$PKI/relay.toml"
    second est-relay serve --config "$PKI/relay.toml"
    start teap-relay serve --config "$PKI/teap.toml"
    second teap-relay serve --config "$PKI/teap.toml"
    start acme-ca serve --dir ca --listen 127.0.0.1:0
    second acme-ca serve --dir ca --listen 127.0.0.1:0
    start brski-masa serve --dir masa --listen 127.0.0.1:0
    second brski-masa serve --dir masa --listen 127.0.0.1:0
}

@test "FLD-U1, SEC-28: the wait for another server ends by SIGTERM while nobody reads what is said of it" {
    start brski-masa serve --dir masa --listen 127.0.0.1:0
    wait_for 20 grep -q pid ready
    idle_reader log
    start brski-masa serve --dir masa --listen 127.0.0.1:0 2>log
    sleep 0.5
    ends 143 "$PID"
}

@test "SEC-25: a pipe that nobody reads is waited for in words, for every output that has a name, and SIGTERM ends it" {
    mkfifo pipe
    local -a key=(csr-build --new-key ec:P-256 --key-out k.pem --dns a.example)
    "${key[@]}" >k.csr
    local -a words=(
        "csr-build --key k.pem --dns a.example -o pipe"
        "csr-build --key k.pem --dns a.example -o pipe --json"
        "est-enroll cacerts --server https://127.0.0.1:1 --ca-file $PKI/tls-root.pem --trace pipe"
        "acme-order renew --metrics-file pipe --config-dir none"
    )
    mkdir none
    local word
    for word in "${words[@]}"; do
        # shellcheck disable=SC2086
        start $word 2>err
        wait_for 20 grep -q 'waiting for a program that reads pipe' err
        case "$word" in
        *--trace*) ends 69 "$PID" ;; # it had failed when it waited
        *) ends 143 "$PID" ;;
        esac
        # shellcheck disable=SC2086
        start $word 2>err
        wait_for 20 grep -q 'waiting for a program that reads pipe' err
        timeout 120 cat pipe >got
        [ -s got ]
    done
}

@test "SEC-25: a reader of -o that takes nothing does not keep the program from ending by SIGTERM" {
    idle_reader pipe
    csr-build --new-key ec:P-256 --key-out k.pem --dns a.example >k.csr
    start csr-build --key k.pem --dns a.example -o pipe
    sleep 0.5
    ends 143 "$PID"
    csr-build --key k.pem --dns a.example >pipe 3>&- &
    PID=$!
    STARTED+=("$PID")
    sleep 0.5
    ends 143 "$PID"
}

@test "SEC-25: the wait for standard input ends by SIGTERM" {
    mkfifo idle
    exec 4<>idle
    acme-trace show <idle 3>&- 4>&- &
    PID=$!
    STARTED+=("$PID")
    sleep 0.5
    ends 143 "$PID"
}
