#!/usr/bin/env bats
# Standard streams that are closed, full, or whose other end has gone: every program, with real peers.

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
    export RELAY_DOMAIN=domain.com
}

teardown() {
    stop_all
}

# status_of WORDS: the exit status of a shell command that redirects streams as it says.
status_of() {
    local status=0
    timeout 180 bash -c "$1" >/dev/null 3>&- || status=$?
    echo "$status"
}

# is EXPECTED WORDS
is() {
    local got
    got=$(status_of "$2")
    [ "$got" = "$1" ] || {
        echo "status $got, not $1: $2" >&2
        return 1
    }
}

# ends_well PID: 0 on SIGTERM.
ends_well() {
    local status=0
    kill -TERM "$1"
    wait "$1" || status=$?
    [ "$status" = 0 ] || echo "process $1: $status" >&2
    [ "$status" = 0 ]
}

no_txt_records() {
    [ -z "$(kdig @"${DNS_SERVER%:*}" -p "${DNS_SERVER#*:}" "_acme-challenge.$1" TXT +short)" ]
}

@test "FLD-A1, FLD-A2: no program ends, or ends otherwise, because of its standard streams; lost output is 74" {
    start_authority
    write_relay_toml "$PKI"
    start_relay "$PKI"
    TEAP=$PWD/teap
    cp -r "$PKI" "$TEAP" # a database for each
    write_teap_toml "$TEAP"
    start_teap "$TEAP"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
    cp "$ACCOUNT" account.json
    csr-build --new-key ec:P-256 --key-out k.pem --dns host.sub.domain.com -o k.csr
    csr-build --key k.pem --dns device0001.domain.com -o d.csr
    echo '{"from":"client","to":"acme","label":"x","time":"2026-11-23T00:00:00Z"}' >t.jsonl

    # Each writes to standard error, and its result to standard output.
    local dns="--dns-update $DNS_SERVER --tsig-key $TSIG_KEY"
    local -a words=(
        "csr-build --key k.pem --dns a.example -vv"
        "acme-account show --account account.json -vv"
        "acme-preauth run --account account.json -vv $dns pre.domain.com"
        "acme-order run --account account.json -vv --show flow $dns k.csr"
        "acme-trace show -vv t.jsonl"
        "est-enroll cacerts --server $RELAY --ca-file $PKI/tls-root.pem -vv --show flow"
        "teap-enroll --radius 127.0.0.1:$RADIUS_PORT --secret-file $TEAP/secret --ca-file $PKI/tls-root.pem --cert $PKI/device0001.pem --key $PKI/device0001.key --csr d.csr -vv"
        "brski-pledge sign-request --idevid $PKI/device0001.pem --key $PKI/device0001.key --registrar-cert $PKI/ra.pem -vv"
        "acme-ca init --dir ca -vv"
        "brski-masa log --dir masa --serial 1 -vv"
        "est-relay check --config $PKI/relay.toml -vv"
        "teap-relay check --config $TEAP/teap.toml -vv"
    )
    brski-masa make-idevid --dir masa --serial 1 --key-out 1.key -o 1.pem
    local word stream
    for word in "${words[@]}"; do
        [[ $word != *k.csr ]] || word="${word% k.csr} <k.csr"
        is 0 "$word >out"
        [ -s out ]
        for stream in '2>&-' '2>/dev/full' '2> >(head -c 1 >/dev/null)' '2> >(exec <&-)'; do
            is 0 "$word >out $stream"
            [ -s out ]
        done
        for stream in '>&-' '>/dev/full' '>&- 2>&-' '>/dev/full 2>/dev/full' '>&- 2>&- --json'; do
            is 74 "$word $stream"
        done
        [[ $word == *k.csr ]] || is 0 "$word >out <&-"
        is 74 "{ sleep 0.5; $word; echo \$? >status; } 2>/dev/null | :; exit \$(cat status)" # its reader has gone
    done
    is 74 "acme-order run --account account.json $dns <&-"
    no_txt_records sub.domain.com
    no_txt_records host.sub.domain.com
    no_txt_records pre.domain.com
    for word in csr-build acme-account acme-preauth acme-order acme-ca acme-trace est-enroll est-relay teap-relay teap-enroll \
        brski-masa brski-pledge; do
        for stream in --help --version; do
            is 0 "$word $stream 2>&- >out"
            is 74 "$word $stream >&-"
            is 74 "$word $stream >/dev/full"
            is 64 "$word --no-such-option >&- 2>&- <&-"
        done
    done
}

@test "FLD-A2: what is meant for a closed standard output goes into no socket" {
    start_authority
    csr-build --new-key ec:P-256 --key-out k.pem --dns a.domain.com -o k.csr
    rm -rf "$ACCOUNT.d"
    is 74 "acme-account show --account '$ACCOUNT' >&-"
    rm -rf "$ACCOUNT.d"
    is 74 "acme-order new --account '$ACCOUNT' >&- <k.csr"
}

@test "FLD-A1: an error keeps its exit status, and a daemon its work, whatever standard error is" {
    local stream
    for stream in '2>&-' '2>/dev/full' '2> >(exec <&-)' '2>&- >&-'; do
        is 65 "csr-build --key none --dns a_b.example $stream"
        is 65 "csr-build --key none --dns a_b.example --json $stream"
        is 64 "acme-order $stream"
    done
}

# serves URL OPTION...
serves() {
    local url=$1
    shift
    wait_for 20 curl -sk -o /dev/null "$@" "$url"
}

@test "FLD-A1, FLD-A2: daemons with closed, full or left streams serve, and end by SIGTERM with 0; without standard output 74" {
    start_authority
    write_relay_toml "$PKI"
    write_teap_toml "$PKI"
    local ca_port masa_port
    ca_port=$(free_port)
    masa_port=$(free_port)
    local -A url=(
        [acme-ca]="https://127.0.0.1:$ca_port/directory"
        [est-relay]="http://127.0.0.1:$RELAY_ADMIN_PORT/healthz"
        [teap-relay]="http://127.0.0.1:$TEAP_ADMIN_PORT/healthz"
        [brski-masa]="https://127.0.0.1:$masa_port/.well-known/brski/auditlog"
    )
    local -A words=(
        [acme-ca]="acme-ca serve --dir other-ca --listen 127.0.0.1:$ca_port -vv"
        [est-relay]="est-relay serve --config $PKI/relay.toml -vv"
        [teap-relay]="teap-relay serve --config $PKI/teap.toml -vv --show flow"
        [brski-masa]="brski-masa serve --dir masa --listen 127.0.0.1:$masa_port -vv"
    )
    local program stream pid
    for program in "${!words[@]}"; do
        for stream in '2>&-' '2>/dev/full' '2> >(head -c 1 >/dev/null)' '2>/dev/null <&-'; do
            bash -c "exec ${words[$program]} >ready $stream" 3>&- &
            pid=$!
            STARTED+=("$pid")
            serves "${url[$program]}"
            # What an event is written for: a request that is not answered well, again and again.
            for _ in 1 2 3; do
                curl -sk -o /dev/null "${url[$program]}/nothing"
                [[ $program != est-relay ]] || curl -sk -o /dev/null "https://127.0.0.1:$RELAY_PORT/nothing"
            done
            serves "${url[$program]}"
            ends_well "$pid"
        done
        is 74 "${words[$program]} >&- 2>/dev/null"
        is 74 "${words[$program]} >/dev/full 2>/dev/null"
        is 74 "${words[$program]} >&- 2>&- <&-"
    done
}
