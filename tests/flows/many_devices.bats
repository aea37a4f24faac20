#!/usr/bin/env bats
# A registrar's store that has grown. Its rows are written by SQL, in the form of those that the relay wrote.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    only_sqlite
}

teardown() {
    stop_all
}

is_sanitized() { # its shadow and what it keeps of freed memory are many times the relay's
    grep -qE '__(asan|tsan)_init' "$(command -v est-relay)"
}

resident() { # KiB
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$RELAY_PID/status"
}

restart() {
    kill -TERM "$RELAY_PID"
    wait "$RELAY_PID"
    start_relay "$PKI"
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
}

@test "SCL-15: ten thousand BRSKI devices: memory and status of the relay are as without them, and all are listed by page" {
    only_sqlite
    make_flow5
    no_ca
    start_masa "$MAKER"
    registrar
    request one
    ask one
    [ "$STATUS" = 200 ]
    restart
    local before
    est-relay status --config "$PKI/relay.toml" --json >status.json # it is asked later, too
    before=$(resident)
    kill -TERM "$RELAY_PID"
    wait "$RELAY_PID"
    # Of the one that came, with a voucher of real size: half of them have theirs, the rest was refused.
    sqlite3 "$PKI/relay.db" "CREATE TEMP TABLE model AS SELECT * FROM brski_devices;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO brski_devices (id, serial, manufacturer, state, request_digest, registrar_request, media_type, accept, nonce,
            masa_url, voucher, voucher_type, reason, since, voucher_status, enroll_status, certificate, cause)
        SELECT 'd' || i || substr(model.id, instr(model.id, '@')), 'd' || i, manufacturer,
            CASE WHEN i % 2 THEN 'refused' ELSE 'forwarded' END, 'digest ' || i, registrar_request, media_type, accept, nonce,
            masa_url, voucher, voucher_type, 'no', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || (i / 3) || ' seconds'), '', '', '', 14
        FROM n, model"
    [ "$(stat -c %s "$PKI/relay.db")" -gt 20000000 ]
    start_relay "$PKI"
    est-relay status --config "$PKI/relay.toml" --json >status.json
    jq -e '.brski.devices | .refused == 5000 and .forwarded == 5001 and .asking == 0' status.json
    [ "$(stat -c %s status.json)" -lt 8192 ]
    echo "resident: $before KiB before, $(resident) KiB with them"
    is_sanitized || [ $(($(resident) - before)) -lt 4096 ]
    # One that is there already is known, and its request is not asked for anew.
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
    ask one
    [ "$STATUS" = 200 ]
    [ "$(masa_events pledgeid)" = 1 ]
    # Five pages of a thousand, none twice.
    local page next=()
    for page in 1 2 3 4 5; do
        est-relay devices --config "$PKI/relay.toml" --json --state failed --limit 1000 "${next[@]}" >"page$page.json"
        next=(--after "$(jq -r .next "page$page.json")")
    done
    [ "$(jq -r '.devices[].serial' page?.json | sort -u | wc -l)" = 5000 ]
    jq -e '(.more | not) and (.devices | length == 1000)' page5.json
}
