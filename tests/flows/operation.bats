#!/usr/bin/env bats
# What operators meet: files that are cut, pipes and mounts that hang, a store that is full or locked, hooks that talk.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/processes
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap
load ../lib/small_disk

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    export RELAY_DOMAIN=domain.com
    make_issuer "$PKI" # a program: little of this is about ACME
}

teardown() {
    stop_all
    unmount_small_disk
}

write_toml() { # LINE...: of [est]
    write_relay_toml "$PKI" "$@"
    by_program "$PKI" "$PKI/relay.toml"
}

# reload WORDS: SIGHUP, until a line of the log has the words; what was said since is in said.
reload() {
    local before
    before=$(wc -l <"$PKI/relay.log")
    kill -HUP "$RELAY_PID"
    wait_for 20 said "$before" "$1"
    said "$before" reloaded || true
}
said() { tail -n "+$(($1 + 1))" "$PKI/relay.log" >said && grep -q -- "$2" said; }

# simpleenroll DEVICE CSR: sets STATUS.
simpleenroll() {
    STATUS=none
    est "$1" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary "@$2"
}

@test "SEC-33: a reload tells how counts change, and takes no inventory or users that became empty or were cut" {
    printf 'device%04d,\n' $(seq 1 50) >"$PKI/devices.csv"
    cp "$PKI/devices.csv" "$PKI/whole.csv"
    cp "$PKI/users" "$PKI/whole.users"
    write_toml
    start_relay "$PKI"
    run ! grep -q newline "$PKI/relay.log"

    head -n 12 "$PKI/whole.csv" >"$PKI/devices.csv"
    printf '[label.fast]\n' >>"$PKI/relay.toml"
    cat "$PKI/whole.users" <(sed 's/^swan/duck/' "$PKI/whole.users") >"$PKI/users"
    reload '"reloaded"'
    grep -q 'inventory: 50 devices -> 12' said
    grep -q 'users: 1 users -> 2' said
    grep -q 'labels: 1 labels -> 2' said

    # Cut, in a line or at its end, or empty.
    local size
    for size in 0 5 100 131; do
        head -c "$size" "$PKI/whole.csv" >"$PKI/devices.csv"
        reload 'not reloaded'
        grep -q "not reloaded.*$PKI/devices.csv: " said
    done
    grep -q 'missing or changed' said
    head -c 155 "$PKI/whole.csv" >"$PKI/devices.csv" # cut, but all that are in use are there
    reload '"reloaded"'
    grep -q 'the last line has no newline' said
    sed '5q' "$PKI/whole.csv" >"$PKI/devices.csv"
    : >"$PKI/users"
    reload 'not reloaded'
    grep -q 'users .*lists none, but 2 users are in use.*allow_empty' said
    cp "$PKI/whole.users" "$PKI/users"

    # Added by hand: told, and taken.
    { cat "$PKI/whole.csv" && printf device0051; } >"$PKI/devices.csv"
    reload '"reloaded"'
    grep -q 'inventory: 13 devices -> 51' said
    grep -q 'warning.*the last line has no newline' said

    # On purpose.
    : >"$PKI/devices.csv"
    reload 'not reloaded'
    grep -q 'lists none, but 51 devices are in use' said
    sed -i '/^inventory/a allow_empty = true' "$PKI/relay.toml"
    reload '"reloaded"'
    grep -q 'inventory: 51 devices -> 0' said
    make_csr device0001.domain.com dev.csr
    simpleenroll device0001 dev.csr
    [ "$STATUS" = 403 ]

    # At the start such files are taken, with a warning, which check has as well.
    sed -i '/^allow_empty/d' "$PKI/relay.toml"
    ends 0 "$RELAY_PID"
    : >"$PKI/relay.log"
    start_relay "$PKI"
    grep -q 'warning.*lists no devices' "$PKI/relay.log"
    printf device0001 >"$PKI/devices.csv"
    est-relay check --config "$PKI/relay.toml" | grep -q 'warn .*the last line has no newline'
}

@test "SEC-33: a file of the configuration that is a pipe or a device is refused at once, and named" {
    write_toml
    mkfifo "$PKI/pipe"
    local broken
    for broken in 's/"devices.csv"/"pipe"/' 's/"maker.pem"/"pipe"/' 's/"ra.pem"/"pipe"/' 's/"users"/"pipe"/' \
        's|^root = .*|root = "/dev/zero"|' 's|"maker.pem"|"/dev/tty"|' 's|"ra.pem"|"ra.pem"\nkey = "pipe"|'; do
        sed "$broken" "$PKI/relay.toml" >"$PKI/odd.toml"
        run timeout 20 est-relay serve --config "$PKI/odd.toml"
        [ "$status" = 78 ]
        [[ $output == *odd.toml*'is not a regular file'* ]]
        run timeout 20 est-relay check --config "$PKI/odd.toml"
        [ "$status" = 78 ]
    done
    start_relay "$PKI"
    mv "$PKI/devices.csv" "$PKI/whole.csv"
    mkfifo "$PKI/devices.csv"
    reload 'not reloaded.*inventory: .*/devices.csv is not a regular file'
    rm "$PKI/devices.csv"
    mv "$PKI/whole.csv" "$PKI/devices.csv"
    # ra.key is named by nothing but the certificate.
    mv "$PKI/ra.key" "$PKI/kept.key"
    mkfifo "$PKI/ra.key"
    reload 'not reloaded.*/ra.key is not a regular file'
    est - cacerts
    [ "$STATUS" = 200 ]
    ends 0 "$RELAY_PID"
}

@test "SEC-33: a mount that hangs keeps neither the start nor a reload from ending by SIGTERM, nor devices from being served" {
    g++ -x c -shared -fPIC -o hung.so "$ROOT/tests/lib/hung_mount.c" -ldl
    mkdir "$PKI/hung"
    cp "$PKI/devices.csv" "$PKI/hung"
    write_toml
    sed 's|"devices.csv"|"hung/devices.csv"|' "$PKI/relay.toml" >"$PKI/hung.toml"
    start env LD_PRELOAD="$PWD/hung.so" est-relay serve --config "$PKI/hung.toml" 2>err
    wait_for 30 grep -q 'check whether a mount hangs' err
    ends 143 "$PID"
    # hung.so knows the path, not the file that a reload finds there.
    LD_PRELOAD=$PWD/hung.so start_relay "$PKI"
    cp "$PKI/hung.toml" "$PKI/relay.toml"
    reload 'check whether a mount hangs'
    est - cacerts
    [ "$STATUS" = 200 ]
    ends 0 "$RELAY_PID"
    # The thread that waits there may go on at any moment.
    run grep 'static was destroyed' "$PKI/relay.log"
    [ "$status" = 1 ]
}

@test "SEC-33: programs read keys from a pipe as soon as somebody writes, and SIGTERM ends the wait" {
    csr-build --new-key ec:P-256 --key-out k.pem --dns a.example >/dev/null
    csr-build --key <(sleep 0.3 && cat k.pem) --dns a.example | grep -q BEGIN
    mkfifo pipe
    (sleep 0.5 && cat k.pem >pipe) 3>&- &
    csr-build --key pipe --dns a.example | grep -q BEGIN
    run csr-build --json --key <(:) --dns a.example
    [ "$status" != 0 ]
    start csr-build --key pipe --dns a.example 2>err
    sleep 0.5
    ends 143 "$PID"
    run timeout 120 csr-build --json --key pipe --dns a.example
    [ "$status" = 78 ]
    [[ $output == *'no program writes into this pipe'* ]]
}

@test "SEC-34, SEC-27: no program leaves a core" {
    mkfifo pipe
    exec 4<>pipe # a writer that says nothing
    local program
    for program in "$BUILD"/bin/{acme-account,acme-order,acme-preauth,acme-ca,est-enroll,teap-enroll,est-relay,teap-relay,brski-pledge,brski-masa,csr-build}; do
        local verb=()
        case $program in
        */acme-account) verb=(show) ;;
        */acme-order) verb=(run) ;;
        */acme-preauth) verb=(respond) ;;
        */acme-ca | */est-relay | */teap-relay | */brski-masa) verb=(serve) ;;
        */est-enroll) verb=(cacerts) ;;
        */brski-pledge) verb=(run) ;;
        esac
        (ulimit -c unlimited && exec "$program" "${verb[@]}" --config pipe) 3>&- 4>&- >out 2>&1 &
        PID=$!
        STARTED+=("$PID")
        wait_for 20 grep -qE '^Max core file size +0 +0 ' "/proc/$PID/limits"
        kill -9 "$PID"
        wait "$PID" || true
    done
    exec 4>&-
}

@test "SEC-34: others of its user do not look into a program, and it still opens its own streams by name" {
    [ "$EUID" = 0 ] || skip "not root: cannot become another user"
    mkdir -m 777 theirs
    local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    "${nobody[@]}" test -x "$BUILD/bin/csr-build" && "${nobody[@]}" grep -q . "$ROOT/README.md" ||
        skip "others may not run the programs"
    cd theirs
    "${nobody[@]}" bash -c 'csr-build --new-key ec:P-256 --key-out k.pem --dns a.example -o /dev/stdout | grep -q BEGIN &&
        csr-build --key <(cat k.pem) --dns a.example | grep -q BEGIN && csr-build --key /dev/stdin --dns a.example <k.pem'
    mkfifo -m 666 pipe
    "${nobody[@]}" csr-build --key pipe --dns a.example 3>&- 2>/dev/null &
    PID=$!
    STARTED+=("$PID")
    hidden() { [ "$(stat -c %u "/proc/$PID/mem")" = 0 ]; } # 65534 where it can be looked into
    wait_for 20 hidden
}

@test "SEC-34: on a full disk the relay answers 503 with Retry-After, TEAP says later, check fails, and all goes on after that" {
    only_sqlite
    small_disk
    RELAY_LIMITS='orders_per_device = 100' write_toml '[store]' "sqlite = \"$FULL/relay.db\""
    start_relay "$PKI"
    est-relay check --config "$PKI/relay.toml" | grep -q "^ok .*$FULL/relay.db can be written"
    fill
    make_csr device0001.domain.com dev.csr
    # The write-ahead log may have room for some.
    refused() {
        make_csr device0001.domain.com more.csr
        rm more.csr.key
        simpleenroll device0001 more.csr
        [ "$STATUS" = 503 ]
    }
    wait_for 30 refused
    grep -qi '^retry-after: 3[0-6]' "$PKI/headers"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"fail  store: $FULL"*"No space left"* ]]
    # A new store, too.
    rm -f "$FULL/new.db"
    sed "s|$FULL/relay.db|$FULL/new.db|" "$PKI/relay.toml" >"$PKI/new.toml"
    run est-relay check --config "$PKI/new.toml"
    [ "$status" = 78 ]
    [ ! -e "$FULL/new.db" ]
    rm "$FULL/ballast"
    wait_for 20 curl -sf "$RELAY_ADMIN/readyz"
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    est-relay check --config "$PKI/relay.toml" >/dev/null
}

@test "SEC-34: while another program holds the store, EST answers 503, TEAP says later, and check says locked" {
    only_sqlite
    RELAY_LIMITS='orders_per_device = 100' write_toml
    start_relay "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    printf '[store]\nsqlite = "%s"\n' "$PKI/teap.db" >>"$PKI/teap.toml"
    start_teap "$PKI"
    make_csr device0001.domain.com dev.csr
    local database
    for database in relay teap; do
        mkfifo "hold.$database"
        sqlite3 "$PKI/$database.db" <"hold.$database" >"held.$database" 3>&- &
        STARTED+=("$!")
    done
    exec 5>hold.relay 6>hold.teap
    for fd in 5 6; do printf '.timeout 60000\nBEGIN EXCLUSIVE;\nSELECT 1;\n' >&"$fd"; done
    wait_for 20 grep -q 1 held.relay
    wait_for 20 grep -q 1 held.teap
    simpleenroll device0001 dev.csr
    [ "$STATUS" = 503 ]
    grep -qi '^retry-after: ' "$PKI/headers"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"fail  store: "*"database is locked"* ]]
    run peer device0001 --new-key ec:P-256 --key-out t.pem --json --timeout 60s
    echo "$output"
    [ "$status" = 75 ]
    [[ $output =~ '"retryAfter": 3'[0-6], ]] # 30, spread by a fifth
    exec 5>&- 6>&-
    wait_for 20 curl -sf "$RELAY_ADMIN/readyz"
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
}

@test "SEC-34: the relay's own full disk is no failure of the CA: 503, also where ACME's files are" {
    small_disk
    start_knot "$PWD/knot" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    ACCOUNT=$FULL/acct.json
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos --account "$ACCOUNT" >/dev/null
    RELAY_DOMAIN_LINES='preauthorize = false' write_relay_toml "$PKI"
    start_relay "$PKI"
    fill
    make_csr device0001.domain.com dev.csr
    answered() { simpleenroll device0001 dev.csr && [ "$STATUS" != 202 ]; }
    wait_for 60 answered
    cat "$PKI/body"
    [ "$STATUS" = 503 ]
    grep -qi '^retry-after: ' "$PKI/headers"
}

@test "SEC-34: a CA whose disk is full answers 503 with Retry-After, says why in its log, and goes on with room" {
    small_disk
    mkdir "$FULL/ca"
    ln -s "$FULL/ca" ca # its request log has room
    start_ca "$PWD/ca"
    register() { acme-account register --json --timeout 60s --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --account "$1" 2>/dev/null; }
    register a.json >/dev/null
    fill
    local tries=0
    full() { ! register "full$((++tries)).json" >out; }
    wait_for 30 full
    jq -e '.retryAfter == 30 and .code == "serverInternal"' out || { cat out && false; }
    grep '"status":503' "$CA_LOG" | jq -se '.[0].resource == "newAccount" and (.[0].error | test("full"))'
    curl -sf "${CA_ADMIN%/faults}/healthz" | grep -q 'warning: .*full'
    rm "$FULL/ballast"
    register b.json >/dev/null
}

@test "SEC-34: what a hook writes comes into the log line by line, without control characters, and limited" {
    start_knot "$PWD/knot" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    set_fault validation=valid
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos >/dev/null
    cat >hook <<'END'
#!/bin/sh
[ "$1" = begin ] || exit 0
printf 'to \033[31mstandard\033[0m output\a\n'
printf '10%%\r100%% done\r\n\n' >&2
echo 'acme-preauth: error: forged' >/dev/stderr
head -c 5000 /dev/zero | tr '\0' x
echo
seq 20000
printf 'no end of line' >&2
exit "${STATUS:-0}"
END
    chmod +x hook
    acme-preauth run --hook ./hook --no-dns-check -o a.json domain.com 2>err
    grep -qx "acme-preauth: hook $PWD/./hook: to standard output" err
    grep -qx "acme-preauth: hook $PWD/./hook: 100% done" err
    grep -qx "acme-preauth: hook $PWD/./hook: acme-preauth: error: forged" err
    grep -qE '^acme-preauth: hook [^ ]*/hook: x{1000}\.\.\.$' err
    grep -qE '^acme-preauth: hook [^ ]*/hook: [0-9]+ more octets of output were dropped$' err
    run ! grep -q '[[:cntrl:]]' err
    run ! grep -v '^acme-preauth: ' err
    [ "$(wc -l <err)" -lt 1010 ]

    sed -i '/^seq/d; s/^exit .*/exit 5/' hook
    run acme-preauth run --json --hook ./hook --no-dns-check sub.domain.com
    [ "$status" = 69 ]
    [[ $output == *'"hint": "the last line that it wrote: no end of line"'* ]]
}

@test "SEC-34: what a program leaves behind may go on writing" {
    start_knot "$PWD/knot" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    set_fault validation=valid
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos >/dev/null
    cat >hook <<'END'
#!/bin/bash
[ "$1" = begin ] || { touch done && while [ -e server ]; do sleep 0.1; done; exit 0; }
touch server
(until [ -e done ]; do sleep 0.1; done; head -c 300000 /dev/zero >&2 && echo fine >written; rm server) &
END
    chmod +x hook
    timeout 60 acme-preauth run --hook ./hook --no-dns-check -o a.json domain.com
    [ "$(cat written)" = fine ]
}

@test "SEC-34: what an issuer program writes to standard error is an event of the request" {
    printf '#!/bin/sh\nprintf "signing\\033[1m now\\n{\\"event\\":\\"forged\\"}\\n" >&2\n' >"$PKI/issue"
    cat >>"$PKI/issue" <<END
exec openssl x509 -req -in /dev/stdin -CA "$PKI/tls-root.pem" -CAkey "$PKI/tls-root.key" -days 5 -copy_extensions copy
END
    write_toml
    start_relay "$PKI"
    make_csr device0001.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    jq -e . "$PKI/relay.log" >/dev/null # nothing else
    grep '"event":"issuer"' "$PKI/relay.log" | jq -se --arg issue "$PKI/issue" \
        '.[0].text == "issuer \($issue): signing now" and .[0].request_id != "" and
         any(.[]; .text == "issuer \($issue): {\"event\":\"forged\"}")'
}

@test "connections_per_address is a tenth of connections, and check warns where one address may have most of them" {
    RELAY_LIMITS='connections = 400' write_toml
    est-relay check --config "$PKI/relay.toml" >said || true
    run ! grep -q 'one address' said
    RELAY_LIMITS=$'connections = 400\nconnections_per_address = 300' write_toml
    est-relay check --config "$PKI/relay.toml" >said || true
    grep -q 'warn  limits: one address may have 300 of the 400 connections' said
}

@test "OPR-50: check names the labels in the inventory that the configuration does not have" {
    write_toml
    printf '[label.floor1]\n' >>"$PKI/relay.toml"
    printf 'SN1,floor1\nSN2\n' >"$PKI/devices.csv"
    est-relay check --config "$PKI/relay.toml" >said || true
    run ! grep -q 'a label that' said
    printf 'SN3,flor1\nSN4,flor1\nSN5,"\033[1m"\n' >>"$PKI/devices.csv"
    est-relay check --config "$PKI/relay.toml" >said || true
    cat said
    grep -q 'warn  clients.idevid: 3 devices in the inventory have a label that the configuration does not have: .*flor1' said
    run ! grep -q $'\033' said
    seq 20 | sed 's/.*/SM&,f&/' >>"$PKI/devices.csv"
    est-relay check --config "$PKI/relay.toml" >said || true
    tr -s ' \n' ' ' <said | grep -q '23 devices in the inventory .* and 12 more'
}

@test "SEC-32: --timeout ends each program, whoever does not answer: server, name server or hook" {
    python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(64)
print(s.getsockname()[1], flush=True); time.sleep(600)' >silent 3>&- &
    STARTED+=("$!")
    wait_for 20 test -s silent
    local port command
    port=$(cat silent)
    head -c 32 /dev/zero | base64 >secret
    chmod 600 secret
    start_ca "$PWD/ca"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos >/dev/null
    csr-build --new-key ec:P-256 --key-out k.pem --dns a.domain.com >k.csr
    printf '#!/bin/sh\nexec sleep 100\n' >hook
    chmod +x hook
    in_time() { # COMMAND...: ends by itself
        echo "$*"
        run timeout 120 "$@" --timeout 2s
        [ "$status" != 0 ] && [ "$status" != 124 ]
    }
    in_time acme-account register --account new.json --directory "https://127.0.0.1:$port/" --agree-tos
    in_time est-enroll cacerts --server "https://127.0.0.1:$port" --explicit-ta "$PKI/tls-root.pem"
    in_time brski-pledge run --registrar "https://127.0.0.1:$port" --idevid "$PKI/device0001.pem" \
        --key "$PKI/device0001.key" --manufacturer-ta "$PKI/maker.pem" --key-out pledge.key
    in_time teap-enroll --radius "127.0.0.1:$port" --secret-file secret --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key"
    in_time acme-preauth run --hook ./hook --no-dns-check domain.com
    in_time acme-preauth run --dns-update "127.0.0.1:$port" --resolver "127.0.0.1:$port" domain.com
    # A server that was fine until now.
    set_fault slow=newOrder:100
    in_time acme-order run --hook ./hook <k.csr
    [ "$status" != 64 ]
}

@test "FLD-U8: --timeout ends many TEAP conversations, and each verb of brski-pledge that sends; --count refuses --trace and --show" {
    python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(64)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", s.getsockname()[1]))
print(s.getsockname()[1], flush=True); time.sleep(600)' >silent 3>&- &
    STARTED+=("$!")
    wait_for 20 test -s silent
    local port verb
    port=$(cat silent)
    head -c 32 /dev/zero | base64 >secret
    chmod 600 secret
    local -a many=(teap-enroll --radius "127.0.0.1:$port" --secret-file secret --ca-file "$PKI/tls-root.pem"
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --count 4 --parallel 2)
    run --separate-stderr timeout 60 "${many[@]}" --retransmit 60s --timeout 1s
    echo "$output$stderr"
    [ "$status" != 0 ]
    [ "$status" != 124 ]
    jq -e '.type == "load" and .failed == 4 and ([.failures[]] | add) == 4' <<<"$output"
    for verb in '--trace t.jsonl' '--show flow' '--show tlv'; do
        # shellcheck disable=SC2086 # option and value
        run "${many[@]}" $verb
        [ "$status" = 64 ]
        [[ $output == *"cannot be combined with --count"* ]]
    done
    [ ! -e t.jsonl ]
    local -a pledge=(--registrar "https://127.0.0.1:$port" --idevid "$PKI/device0001.pem" --key "$PKI/device0001.key" --timeout 1s)
    for verb in sign-request voucher-status enroll-status; do
        run timeout 60 brski-pledge "$verb" "${pledge[@]}"
        echo "$verb: $output"
        [ "$status" != 0 ]
        [ "$status" != 64 ]
        [ "$status" != 124 ]
    done
}

# serve_text NAME PROGRAM...: a server that logs text to NAME.log, until it listens.
serve_text() {
    local name=$1
    shift
    "$@" >"$name.ready" 2>"$name.log" &
    STARTED+=("$!")
    wait_for 20 grep -q '"ready"' "$name.ready"
}

@test "FLD-U13: text logs begin with the time, except in the journal, and say where the server listens" {
    local time='20[0-9-]{8}T[0-9:]{8}Z' port name stream
    write_toml
    port=$(sed -n 's/^est = .*:\([0-9]*\)".*/\1/p' "$PKI/relay.toml")
    serve_text relay est-relay serve --config "$PKI/relay.toml"
    grep -xE "$time est-relay: listening on [0-9.]+:$port \(EST\), 127\.0\.0\.1:[0-9]+ \(administration\)" relay.log
    run grep -vE "^$time est-relay: " relay.log
    [ -z "$output" ]
    stop_all
    serve_text ca acme-ca serve --dir ca --listen 127.0.0.1:0
    grep -xE "$time acme-ca: listening on 127\.0\.0\.1:[0-9]+ \(ACME\)" ca.log
    serve_text masa brski-masa serve --dir masa --listen 127.0.0.1:0
    grep -xE "$time brski-masa: listening on 127\.0\.0\.1:[0-9]+ \(MASA\)" masa.log
    # The journal has the time; the stream must be the one that it names.
    : >journal
    stream=$(stat -L -c %d:%i journal)
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS JOURNAL_STREAM=$stream est-relay serve --config "$PKI/relay.toml" >j.ready 2>>journal &
    STARTED+=("$!")
    wait_for 20 grep -q '"ready"' j.ready
    grep -E '^<6>est-relay: listening on ' journal
    stop_all
    JOURNAL_STREAM=$(stat -L -c %d:%i "$PKI/relay.toml") serve_text other est-relay serve --config "$PKI/relay.toml"
    grep -xE "$time est-relay: listening on .*" other.log
    # JSON has it anyway.
    stop_all
    serve_text json est-relay serve --config "$PKI/relay.toml" --log-format json
    jq -e 'select(.msg // "" | startswith("listening on ")) | .ts' json.log
}

@test "OPR-28: in the journal an event has its members as fields, by which journalctl finds the request" {
    unshare -m true 2>/dev/null || skip "no mount namespace can be made here"
    write_toml
    # shellcheck disable=SC2016 # for the shell that is started
    ASAN_OPTIONS=$SERVER_ASAN_OPTIONS unshare -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && exec "$@"' sh \
        python3 "$ROOT/tests/lib/journal.py" "$PWD/entries" est-relay serve --config "$PKI/relay.toml" >"$PKI/ready" 3>&- &
    STARTED+=("$!")
    wait_for 20 grep -q admin "$PKI/ready"
    RELAY="https://127.0.0.1:$RELAY_PORT/.well-known/est"
    make_csr device0001.iot.domain.com csr
    est stranger9999 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @csr
    [ "$STATUS" = 403 ]
    wait_for 10 grep -q '"ACMETOOL_EVENT": "decision"' entries
    wait_for 10 grep -q '"ACMETOOL_EVENT": "request"' entries
    cat entries
    local request
    request=$(jq -rs 'map(select(.ACMETOOL_EVENT == "decision"))[0].ACMETOOL_REQUEST_ID' entries)
    [[ $request == ???????????????? ]]
    jq -es --arg request "$request" 'map(select(.ACMETOOL_REQUEST_ID == $request)) | length == 2 and
        all(.[]; .SYSLOG_IDENTIFIER == "est-relay" and (.PRIORITY == "4" or .PRIORITY == "6") and (.MESSAGE | contains($request))) and
        any(.[]; .ACMETOOL_EVENT == "request" and .ACMETOOL_STATUS == "403") and
        any(.[]; .ACMETOOL_EVENT == "decision" and .ACMETOOL_GROUND == "notInInventory")' entries
    jq -es 'any(.[]; .MESSAGE // "" | startswith("listening on "))' entries
}

@test "FLD-U13, OPR-54: block and revoke warn of what the relay has never seen, and unblock of what was not blocked" {
    write_toml 'wait = "20s"'
    echo 'device0002' >>"$PKI/devices.csv"
    start_relay "$PKI"
    make_csr device0001.domain.com dev.csr
    simpleenroll device0001 dev.csr
    [ "$STATUS" = 200 ]
    sed -i '/device0001/d' "$PKI/devices.csv"
    local -a block=(est-relay block --config "$PKI/relay.toml")
    local known
    # From a certificate, from the inventory.
    for known in device0001 device0002; do
        run --separate-stderr "${block[@]}" "$known"
        [ "$status" = 0 ]
        [ -z "$stderr" ]
    done
    run --separate-stderr "${block[@]}" device0001 devcie0001 --json
    [ "$status" = 0 ]
    [[ $stderr == *'warning: devcie0001: no such device'* ]]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/exclusion.json" <<<"$output"
    [ "$(jq -c .unknown <<<"$output")" = '["devcie0001"]' ]
    run --separate-stderr est-relay revoke --config "$PKI/relay.toml" 0123456789
    [ "$status" = 0 ]
    [[ $stderr == *'warning: 0123456789: this relay issued no certificate with this serial number'* ]]
    run --separate-stderr est-relay unblock --config "$PKI/relay.toml" device0001 nobody device0001 --json
    [ "$status" = 0 ]
    [[ $stderr != *'device0001: was not'* && $stderr == *'warning: nobody: was not blocked under this name; "blocks" lists what is'* ]]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/exclusion.json" <<<"$output"
    [ "$(jq -c .unblocked <<<"$output")" = '["device0001"]' ]
}
