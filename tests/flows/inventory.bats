#!/usr/bin/env bats
# The inventory in the store: est-relay and teap-relay inventory, beside a relay that runs.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
}

teardown() {
    stop_all
}

# by_store FILE PROGRAM: the configuration has its inventory in its store, which is there.
by_store() {
    sed -i 's/^inventory = .*/inventory_in_store = true/' "$1"
    on_postgresql "$1" "$2"
    "$2" store init --config "$1" >/dev/null
}

relay() { # the relay, with a program as its CA
    make_issuer "$PKI"
    write_relay_toml "$PKI" 'wait = "20s"'
    by_program "$PKI" "$PKI/relay.toml"
    by_store "$PKI/relay.toml" est-relay
    start_relay "$PKI"
}

inventory() { # ACTION [ARGUMENT...]
    est-relay inventory --config "$PKI/relay.toml" "$@"
}

document() { # TYPE ACTION [ARGUMENT...]: in document.json, which is what its schema says
    local type=$1
    shift
    inventory --json "$@" >document.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/$type.json" <document.json
}

# ask DEVICE [OPERATION]: sends the same request each time; STATUS
ask() {
    [[ -e device0001.csr ]] || make_csr device0001.iot.domain.com device0001.csr
    est "$1" "${2:-simpleenroll}" -H 'Content-Type: application/pkcs10' --data-binary @device0001.csr
}

explain() { # TEXT, in one line
    TEXT=$(est-relay explain --config "$PKI/relay.toml" device0001 | tr -s ' \n' ' ')
}

is_sanitized() { # its shadow and what it keeps of freed memory are many times the program's
    grep -qE '__(asan|tsan)_init' "$(command -v est-relay)"
}

@test "OPR-27: devices of the inventory in the store that never came, page by page" {
    relay
    printf '%s\n' device0001 device0002 device0003 | inventory import -
    unseen() { # OPTION...: the list
        est-relay devices --config "$PKI/relay.toml" --state unseen --json "$@" >unseen.json
        "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/devices.json" <unseen.json
    }
    unseen --limit 2
    jq -e '.counts.unseen == 3 and .more and [.devices[].serial] == ["device0001", "device0002"]' unseen.json
    unseen --after "$(jq -r .next unseen.json)"
    jq -e '[.devices[].serial] == ["device0003"]' unseen.json
    ask device0001
    [ "$STATUS" = 200 ]
    unseen
    jq -e '.counts.unseen == 2 and [.devices[].serial] == ["device0002", "device0003"]' unseen.json
}

@test "SCL-34, SCL-41: what is added to the inventory in the store, or removed, counts at once, without a reload" {
    relay
    ask device0001
    [ "$STATUS" = 403 ]
    grep -q 'device device0001 is not in the inventory' "$PKI/body"
    est-relay check --config "$PKI/relay.toml" | grep -q '^warn .*the inventory in the store lists no devices'
    inventory add device0001
    ask device0001
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out "$PKI/new.pem"
    cp device0001.csr.key "$PKI/new.key"
    explain
    [[ $TEXT == *'listed in the store'* ]]
    est-relay check --config "$PKI/relay.toml" | grep -q '^ok .*1 devices in the inventory in the store'
    est-relay status --config "$PKI/relay.toml" --json >status.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/relay-status.json" <status.json
    jq -e '.inventory == {"in": "store", "devices": 1}' status.json
    ask new simplereenroll
    [ "$STATUS" = 200 ]
    # The certificate is of no use any more, either.
    inventory remove device0001
    ask device0001
    [ "$STATUS" = 403 ]
    ask new simplereenroll
    [ "$STATUS" = 403 ]
    explain
    [[ $TEXT == *'not in the store'*"next: not in the inventory in the store: its requests get 403; \`est-relay inventory add device0001\` adds it"* ]]
    # A block needs no warning for a device that the inventory has.
    inventory add device0051
    run est-relay block --config "$PKI/relay.toml" device0051
    [[ $status == 0 && $output != *'no such device'* ]]
    run --separate-stderr est-relay explain --config "$PKI/relay.toml" nobody
    [ "$status" = 65 ]
    [[ $stderr == *'nobody: never seen; not in the inventory in the store'*'inventory add'* ]]
}

@test "SCL-41: both kinds of inventory are an error, and check --explain has the key" {
    make_issuer "$PKI"
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    sed -i 's/^inventory = .*/&\ninventory_in_store = true/' "$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"inventory_in_store: inventory names a file: set inventory or inventory_in_store"* ]]
    est-relay check --explain | grep -q '^  inventory_in_store .*in the store.*default: false$'
    # The command says that the relay does not use what it writes.
    sed -i '/^inventory_in_store/d' "$PKI/relay.toml"
    on_postgresql "$PKI/relay.toml" est-relay
    est-relay store init --config "$PKI/relay.toml"
    run --separate-stderr inventory add device0001
    [ "$status" = 0 ]
    [[ $stderr == *'does not use the inventory in the store'* ]]
}

@test "OPR-50: check names the labels in the store's inventory that the configuration does not have" {
    make_issuer "$PKI"
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    by_store "$PKI/relay.toml" est-relay
    printf '[label.floor1]\n' >>"$PKI/relay.toml"
    inventory add SN1,floor1 SN2
    est-relay check --config "$PKI/relay.toml" >said || true
    run ! grep -q 'a label that' said
    inventory add SN3,flor1 SN4,flor1 SN5,flor2
    est-relay check --config "$PKI/relay.toml" >said || true
    cat said
    grep -q 'warn  clients.idevid: 3 devices in the inventory have a label that the configuration does not have: flor1, flor2$' said
}

@test "SCL-35, SCL-38, SCL-40: lines in and out, what is refused, and documents" {
    make_issuer "$PKI"
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    sed -i 's/^trust = .*/inventory_in_store = true\n[clients.idevid.maker]\n&/; /^inventory = /d' "$PKI/relay.toml"
    on_postgresql "$PKI/relay.toml" est-relay
    est-relay store init --config "$PKI/relay.toml"

    { echo serial,label,name; printf 'device%04d@maker\n' $(seq 1 20); printf '# end\n\nx%%2Cy@maker,iot,a,b.domain.com\nplain\n'; } >lines
    run inventory import lines
    [ "$status" = 0 ]
    [[ $output == *'22 added, 0 changed, 0 removed'*'22 devices in the inventory, 1 of them without a manufacturer'* ]]
    inventory list >listed
    grep -qx 'x%2Cy@maker,iot,a,b.domain.com' listed
    [ "$(wc -l <listed)" = 23 ]
    document inventory list
    jq -e '.devices | length == 22 and any(. == {"serial": "x,y", "manufacturer": "maker", "label": "iot", "names": ["a", "b.domain.com"]})' document.json
    # What was listed is the same inventory again.
    inventory list | inventory import - | grep -q '0 added, 0 changed, 0 removed'
    inventory list | cmp - listed
    inventory list -o file
    cmp file listed

    # By standard input, and what is not there.
    printf 'device0001@maker,iot\ndevice0051@maker\n' | document inventory-count add -
    jq -e '.added == 1 and .changed == 1 and .devices == 23 and .unnamed == 1' document.json
    run inventory remove device0051@maker plain nobody
    [ "$status" = 0 ]
    [[ $output == *'nobody: not in the inventory'*'0 added, 0 changed, 2 removed'* ]]
    document inventory-count remove device9999
    jq -e '.removed == 0 and .unknown == ["device9999"] and .devices == 21' document.json
    document inventory-count count
    jq -e 'keys == ["devices", "type", "unnamed", "version"]' document.json

    # A spreadsheet where the comma is the decimal point.
    printf 'serial;label;name\r\ndevice0002@maker;"";"";\r\n;;\r\n' | inventory add - | grep -q '^0 added, 0 changed'

    # Wrong lines: with their number, and nothing is changed.
    run inventory import - < <(printf 'a\nb;iot\n')
    [[ $status == 65 && $output == *'standard input: line 2: a semicolon outside double quotes'*heading* ]]
    run inventory import - < <(printf 'a\nb\n,iot\n')
    [[ $status == 65 && $output == *'standard input: line 3: no serial number'* ]]
    run inventory import - < <(cat listed listed)
    [[ $status == 65 && $output == *'occurs twice'* ]]
    run inventory add ok 'wrong,,bad name'
    [[ $status == 65 && $output == *'arguments: line 2: '* ]]
    run inventory import missing
    [[ $status == 65 && $output == *'missing: cannot be opened'* ]]
    inventory count | grep -q '^21 devices'

    # Too few, none, and a file that may be cut.
    printf 'device%04d@maker\n' $(seq 1 9) >few
    run inventory import few
    [[ $status == 65 && $output == *'few: 12 of the 21 devices in the inventory are missing'*--force* ]]
    run inventory import /dev/null
    [[ $status == 65 && $output == *'lists none, but 21 devices are in the inventory'* ]]
    inventory list | head -c -1 >cut.csv
    printf ',iot' >>cut.csv
    run inventory import cut.csv
    [[ $status == 65 && $output == *'the last line has no newline'* ]]
    inventory count | grep -q '^21 devices'
    inventory import --force few | grep -q '0 added, 0 changed, 12 removed'

    # As a spreadsheet or PowerShell writes them.
    { printf '\xEF\xBB\xBF"Serial","Label"\r\n'; sed 's/.*/"&",""\r/' few; } | inventory import - | grep -q '0 added, 0 changed, 0 removed'
    inventory add '"X,1","iot"'
    inventory list | grep -xF '"X,1",iot'
    run inventory remove '"X,1'
    [[ $status == 65 && $output == *'arguments: line 1: a double quote is not closed'* ]]
    inventory remove '"X,1"' | grep -q '1 removed'

    # Of a name that no manufacturer has.
    run inventory add device0001@mker
    [[ $status == 0 && $output == *'device0001@mker ends in the name of no manufacturer'* ]]

    local wrong
    for wrong in '' frob 'import' 'import a b' add remove 'list x' 'count x' 'add - x' 'add --force x'; do
        # shellcheck disable=SC2086
        run inventory $wrong
        [ "$status" = 64 ]
    done
}

@test "SCL-37: an import that is killed leaves the inventory of before, and the next one is complete" {
    relay
    printf 'device%04d\n' $(seq 1 50) >old
    inventory import old
    mkfifo pipe
    est-relay inventory --config "$PKI/relay.toml" import pipe &
    local pid=$!
    STARTED+=("$pid")
    exec {out}>pipe
    printf 'other%05d\n' $(seq 1 20000) >&"$out" # far more than a pipe holds: most of it was written
    kill -KILL "$pid"
    exec {out}>&-
    inventory count | grep -q '^50 devices'
    ask device0001
    [ "$STATUS" = 200 ]
    run ! est-relay explain --config "$PKI/relay.toml" other00001
    { cat old; printf 'other%05d\n' $(seq 1 20000); } | inventory import - | grep -q '^20000 added, 0 changed, 0 removed'
    inventory count | grep -q '^20050 devices'
    if [[ -z ${ACMETOOL_POSTGRESQL:-} ]]; then
        [ "$(sqlite3 "$PKI/relay.db" 'SELECT COUNT(*), COUNT(DISTINCT generation) FROM inventory')" = '20050|1' ]
    fi
}

@test "SCL-39: 200,000 lines are imported in the memory of 2,000, and devices are served meanwhile" {
    relay
    seq 1 2000 | awk '{ printf "serial%06d,,name%06d\n", $1, $1 }' >few
    seq 1 199999 | awk '{ printf "serial%06d,,name%06d\n", $1, $1 }' >many
    echo device0001 | tee -a few >>many
    cat >measure.py <<'END'
import resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.run(sys.argv[2:]).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(f"{peak} {time.monotonic() - began:.1f}\n")
sys.exit(status)
END
    measured() { # FILE
        python3 measure.py "$1.measured" est-relay inventory import --config "$PKI/relay.toml" "$1"
    }
    measured few
    ask device0001
    [ "$STATUS" = 200 ]
    measured many >result &
    local pid=$!
    STARTED+=("$pid")
    while kill -0 "$pid" 2>/dev/null; do
        curl -s -o /dev/null --cacert "$PKI/tls-root.pem" --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" \
            -H 'Content-Type: application/pkcs10' --data-binary @device0001.csr -w '%{time_total} %{http_code}\n' "$RELAY/simpleenroll" >>waits
    done
    wait "$pid"
    grep -q '^197999 added' result
    local less more took
    read -r less _ <few.measured
    read -r more took <many.measured
    echo "KiB: $less with 2,000 lines, $more with 200,000, which took $took s"
    sort -n waits | awk '{ t[NR] = $1 } END { print NR " requests meanwhile, median " t[int((NR + 1) / 2)] " s, longest " t[NR] " s" }'
    is_sanitized || [ $((more - less)) -lt 8192 ]
    # None waits for the import: that would be most of its time. How busy the machine is prolongs both.
    [ "$(awk -v took="$took" '($1 > 1 && $1 > took / 2) || $2 != 200' waits | wc -l)" = 0 ]
    local rss
    rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$RELAY_PID/status")
    echo "relay: $rss KiB"
}

@test "SCL-34: teap-relay has the inventory in the store, too" {
    start_authority
    make_idevid "$PKI" pledgeid
    export RELAY_DOMAIN=domain.com
    write_teap_toml "$PKI"
    by_store "$PKI/teap.toml" teap-relay
    start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
    run peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    [ "$status" -ne 0 ]
    grep -q 'is not in the inventory' "$TEAP_LOG"
    echo pledgeid | teap-relay inventory --config "$PKI/teap.toml" add -
    peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -q DNS:pledgeid.domain.com
    teap-relay inventory --config "$PKI/teap.toml" import --force /dev/null
    run peer pledgeid --new-key ec:P-256 --key-out next.key -o next.pem
    [ "$status" -ne 0 ]
}
