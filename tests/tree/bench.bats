#!/usr/bin/env bats
# bench/compare and bench/plot, with what bench/run would print, and what bench/run scale holds relays by.

bats_require_minimum_version 1.5.0
load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# tables RATE: what bench/run est ca prints, with that rate of simpleenroll at one client.
tables() {
    echo "2 cores, load 0.1, Linux"
    printf '\nEST: a new TLS connection for each request, medians\n'
    printf '%-14s %5s %8s %9s %8s %8s %9s %8s %7s  %s\n' operation TLS clients "per s" "p50 ms" "p99 ms" "limit/s" /limit "CPU ms" goal \
        cacerts 1.3 1 300.5 3.1 5.5 600 0.50x 1.2 0.80x cacerts 1.3 8 700 4 9 1700 0.41x 1.1 0.80x
    echo "one write that is waited for takes 0.5 ms"
    printf '%-14s %5s %8s %9s %8s %8s %9s %8s %7s  %s\n' simpleenroll 1.3 1 "$1" 8.5 12 600 0.20x 4 "0.60x, p50 5 ms" \
        simpleenroll 1.3 8 400 9 14 1700 0.23x 2.2 "0.60x"
    printf '\nBRSKI: requestvoucher\n'
    printf '%8s %9s %8s\n' clients "per s" "p50 ms" 1 78.4 12.69 16 1175.5 89.1
    printf '\nIssuances (newOrder, finalize, download) from 10 s of load\n'
    printf '%-10s %8s %10s %12s %8s\n' CA clients issued "per second" "p99 ms" \
        acme-ca 1 2000 200 6 Pebble 1 1000 100 11 acme-ca 8 3000 300 40 Pebble 8 4000 400 30
}

# checkout FOLDER RATE...: one whose bench/run prints these, in turns.
checkout() {
    local folder=$1 turn=1
    shift
    mkdir -p "$folder/bench"
    cp "$ROOT/bench/compare" "$ROOT/bench/tables.py" "$folder/bench"
    for rate in "$@"; do
        tables "$rate" >"$folder/$turn"
        turn=$((turn + 1))
    done
    cat >"$folder/bench/run" <<'END'
#!/bin/sh
cd "$(dirname "$0")/.." && echo "$*" >>asked && cat "$(wc -l <asked)"
END
    chmod +x "$folder/bench/run"
}

@test "bench/compare: medians, and the share of each turn, of the figures that both print" {
    checkout old 100 110 120
    checkout new 200 110 360
    run --separate-stderr new/bench/compare old est ca
    echo "$output"
    [ "$status" = 0 ]
    [ "$(cat old/asked)" = $'est ca\nest ca\nest ca' ]
    [ "$(cat new/asked)" = "$(cat old/asked)" ]
    [[ $output == *$'\nEST\n'*"simpleenroll 1.3 1, per s"*$'\nIssuances\n'*"acme-ca 8, p99 ms"* ]]
    grep -Eq '^simpleenroll 1\.3 1, per s +110 +200 +2\.00x +1\.00x +3\.00x$' <<<"$output"
    grep -Eq '^cacerts 1\.3 1, p50 ms +3\.1 +3\.1 +1\.00x +1\.00x +1\.00x$' <<<"$output"
    grep -Eq '^1, per s +78\.4 +78\.4 +1\.00x' <<<"$output"
    grep -Eq '^16, per s +1175\.5 +1175\.5 +1\.00x' <<<"$output"
    run ! grep -E 'limit|goal|issued' <<<"$output"
}

@test "bench/compare: another folder, no turn, and a bench/run that fails are errors" {
    checkout old 100
    run old/bench/compare "$PWD"
    [ "$status" = 2 ]
    [[ $output == *"has no bench/run"* ]]
    run old/bench/compare --turns 0 old
    [ "$status" = 2 ]
    run old/bench/compare --turns 2 old est
    [ "$status" = 1 ]
    [[ $output == *"bench/run failed with status 1"* ]]
}

@test "bench/plot: what was measured becomes an SVG; anything else is an error" {
    tables 117 | "$ROOT/bench/plot" >plot.svg
    python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' plot.svg
    grep -q 'on 2 cores, Linux' plot.svg
    for name in simpleenroll cacerts "TLS handshakes alone" acme-ca Pebble; do grep -q ">$name</text>" plot.svg; done
    [ "$(grep -c "<polyline" plot.svg)" = 9 ]
    run "$ROOT/bench/plot" <<<"nothing"
    [ "$status" = 1 ]
    [[ $output == *"expected what bench/run est ca prints"* ]]
}

@test "bench/run scale: what is in a group gets a fifth of a core" {
    # shellcheck source=bench/scale.bash
    . "$ROOT/bench/scale.bash"
    find_quota 2>told || {
        grep -q 'no control group with a CPU quota can be made' told
        skip "no control group with a CPU quota can be made here"
    }
    make_quota "acmetool-bench-$$-test"
    # bash counts its own CPU time in "times".
    sh -c "echo \$\$ >'${QUOTAS[-1]}/cgroup.procs' && exec bash -c 'while ((SECONDS < 3)); do :; done; times'" >spent
    remove_quotas
    cat spent
    awk -F'[ms ]' 'NR == 1 { exit !($1 == 0 && $2 + $5 < 0.9) }' spent
}
