#!/usr/bin/env bats
# The systemd units.

load ../lib/common

@test "systemd units: systemd-analyze finds nothing, and they run the programs that are here" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
    cd "$BATS_TEST_TMPDIR" || return
    mkdir units
    local unit
    for unit in "$ROOT"/packaging/systemd/*; do
        sed "s,/usr/bin/,$BUILD/bin/," "$unit" >"units/$(basename "$unit")"
    done
    run systemd-analyze verify --man=no "$PWD"/units/*
    echo "$output"
    [ "$status" = 0 ]
    # It reads the units of other packages, too, and has words for theirs: "/lib/systemd/system/x.service:23: ...".
    [ -z "$(grep -v '^/lib/systemd/system/' <<<"$output")" ]
    # Every option that a unit uses is one of the program's.
    for unit in units/*.service; do
        local option
        for option in $(grep -E '^Exec' "$unit" | grep -oE -- ' --[a-z-]+' | sort -u); do
            acme-preauth renew --help | grep -qF -- "$option"
        done
    done
    [ -e units/acme-preauth-renew.service ]
    [ -e units/acme-preauth-renew.timer ]
}
