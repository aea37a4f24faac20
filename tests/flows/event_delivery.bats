#!/usr/bin/env bats
# Events that a relay tells others of: by a program, and by a webhook.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/processes
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    make_issuer "$PKI"
    export RELAY_DOMAIN=domain.com
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    cat >"$PKI/tell" <<END
#!/bin/sh
cat >>"$PWD/told"
printf '%s\n' "\$ACMETOOL_EVENT_ID" >>"$PWD/ids"
END
    chmod +x "$PKI/tell"
    make_csr device0001.domain.com dev.csr
}

teardown() {
    stop_all
}

refuse() { # a device that the inventory does not list
    est stranger9999 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    [ "$STATUS" = 403 ]
}

# receiver [FAILURES]: an HTTPS server that answers 503 so often, then 204; each request is a line of posted. PORT.
receiver() {
    PORT=$(free_port)
    start python3 "$ROOT/tests/lib/webhook_receiver.py" "$PORT" "$PKI/ra.pem" "$PKI/ra.key" "${1:-0}" posted
    wait_for 10 curl -s -o no --cacert "$PKI/tls-root.pem" "https://127.0.0.1:$PORT/"
}

posts() { [ "$(wc -l <posted)" -ge "$1" ]; }
has_told() { jq -e "select(.decision == \"$1\")" told; }
delivered() { # RECEIVER COUNT
    curl -s "$RELAY_ADMIN/metrics" | grep -qxF "acmetool_event_deliveries_total{receiver=\"$1\",result=\"delivered\"} $2"
}

@test "OPR-38: a program is run for each chosen event, and reads it as one line of JSON" {
    printf '[events]\nhook = ["%s"]\non = ["decision"]\nlevel = "info"\n' "$PKI/tell" >>"$PKI/relay.toml"
    start_relay "$PKI"
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    refuse
    wait_for 20 has_told refused
    [[ $(jq -r .decision told | tr '\n' ' ') == *"issued refused " ]]
    jq -e 'select(.decision == "refused") | .reason == "forbidden" and (.device | startswith("stranger9999@")) and .ts' told
    grep -qE '^[0-9a-f]{32}$' ids
    # Only warnings, by default.
    sed -i '/^level = "info"/d' "$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q '"reloaded"' "$PKI/relay.log"
    : >told
    enrol device0001 simpleenroll dev.csr
    refuse
    wait_for 20 has_told refused
    [ "$(jq -r .decision told)" = refused ]
}

@test "OPR-38: a webhook is signed, and tried again until it is taken" {
    (umask 077 && printf 'whsec_%s\n' "$(openssl rand -base64 24)" >"$PKI/webhook.key")
    receiver 2
    printf '[events]\nwebhook = "https://127.0.0.1:%s/in"\nwebhook_key_file = "webhook.key"\nwebhook_ca = "tls-root.pem"\non = ["decision"]\n' \
        "$PORT" >>"$PKI/relay.toml"
    start_relay "$PKI"
    refuse
    wait_for 30 posts 3
    wait_for 10 delivered webhook 1
    grep -q 'event-webhook: status 503; it is tried again' "$PKI/relay.log"
    # The id stays, the signature is what its key makes of id, time and body.
    [ "$(jq -r .id posted | sort -u | wc -l)" = 1 ]
    [ "$(jq -r .body posted | jq -r .reason | sort -u)" = forbidden ]
    local line
    while read -r line; do
        python3 - "$PKI/webhook.key" "$line" <<'END'
import base64, hashlib, hmac, json, sys, time
key = base64.b64decode(open(sys.argv[1]).read().strip().removeprefix("whsec_"))
post = json.loads(sys.argv[2])
signed = f"{post['id']}.{post['timestamp']}.{post['body']}".encode()
assert post["signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
assert abs(int(post["timestamp"]) - time.time()) < 600 and post["target"] == "/in"
END
    done <posted
}

@test "OPR-38: a receiver that is away or hangs holds up no answer and no end; what does not fit is counted" {
    printf '#!/bin/sh\nsleep 600\n' >"$PKI/tell"
    printf '[events]\nhook = ["%s"]\nwebhook = "https://127.0.0.1:%s/"\non = ["decision"]\n' "$PKI/tell" "$(free_port)" \
        >>"$PKI/relay.toml"
    start_relay "$PKI"
    for _ in $(seq 30); do refuse; done
    wait_for 20 grep -q 'event-webhook: .*it is tried again' "$PKI/relay.log"
    curl -s "$RELAY_ADMIN/metrics" | grep -qE '^acmetool_event_deliveries_total\{receiver="webhook",result="failed"\} [1-9]'
    ends 0 "$RELAY_PID"
}

@test "OPR-38: wrong receivers are configuration errors" {
    refuses() { # WORDS LINE...
        cp "$PKI/relay.toml" "$PKI/wrong.toml"
        printf '[events]\n' >>"$PKI/wrong.toml"
        printf '%s\n' "${@:2}" >>"$PKI/wrong.toml"
        run --separate-stderr est-relay check --config "$PKI/wrong.toml"
        [ "$status" = 78 ]
        # shellcheck disable=SC2154 # run --separate-stderr sets it
        [[ $stderr$output == *"$1"* ]] || { echo "$stderr$output" && return 1; }
    }
    echo 'whsec_%%' >"$PKI/bad.key"
    refuses 'on: "weather" is none of authorization' "hook = [\"$PKI/tell\"]" 'on = ["weather"]'
    refuses "https" 'webhook = "http://127.0.0.1/"'
    refuses "requires webhook" 'webhook_key_file = "k"'
    refuses "requires hook or webhook" 'on = ["order"]'
    refuses "gone" 'hook = ["/gone"]'
    refuses "no base64 follows whsec_" 'webhook = "https://127.0.0.1/"' 'webhook_key_file = "bad.key"'
}
