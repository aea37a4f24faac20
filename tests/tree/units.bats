#!/usr/bin/env bats
# The systemd units.

load ../lib/common

@test "systemd units: systemd-analyze finds nothing, and they run the programs that are here" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    cd "$BATS_TEST_TMPDIR" || return
    mkdir units
    local unit
    for unit in "$ROOT"/packaging/systemd/*; do
        sed "s,/usr/bin/,$BUILD/bin/,; s,/usr/libexec/acme-integrations/,$ROOT/packaging/," "$unit" >"units/$(basename "$unit")"
    done
    run systemd-analyze verify --man=no "$PWD"/units/*
    echo "$output"
    [ "$status" = 0 ]
    # It reads the units of other packages, too, and has words for theirs: "/lib/systemd/system/x.service:23: ...".
    [ -z "$(grep -v '^/lib/systemd/system/' <<<"$output")" ]
    # Every option that a unit uses is one of the program's.
    local program verb words word lines=0
    while read -r program verb words; do
        for word in $words; do
            [[ $word != --* ]] || "$program" "$verb" --help | grep -qF -- " $word"
        done
        lines=$((lines + 1))
    done < <(sed -n "s,^Exec[A-Za-z]*=$BUILD/bin/,,p" units/*.service)
    [ "$lines" -ge 4 ]
    for unit in acme-preauth-renew acme-order-renew; do
        [ -e "units/$unit.service" ]
        [ -e "units/$unit.timer" ]
    done
}
