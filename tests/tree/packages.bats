#!/usr/bin/env bats
# What has to be installed, and what a person sees of tests/run.

bats_require_minimum_version 1.5.0
load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# named PACKAGE...: link-programs, where install-packages names just these; the programs are in the folder programs.
named() {
    mkdir -p packaging
    cp "$ROOT/packaging/link-programs" packaging
    printf '#!/bin/sh\nprintf "%%s\\n" %s\n' "$*" >packaging/install-packages
    chmod +x packaging/install-packages
    rm -rf programs
    packaging/link-programs test programs
}

@test "FLD-U6: tests see the programs of named packages, of what these depend on and of Debian's base, and no other" {
    named jq
    [ -x programs/jq ]
    [ -x programs/sed ]
    [ -x programs/awk ]
    [ ! -e programs/openssl ]
    [ ! -e programs/kdig ]
    [ ! -e programs/java ]
    PATH=$PWD/programs run jq --version
    [ "$status" = 0 ]
    PATH=$PWD/programs run -127 kdig -V
    # A program by its alternative, in a folder of its own; a package by one that needs it.
    named openjdk-17-jdk-headless certbot
    [ -x programs/java ]
    [ -x programs/python3 ]
    # In the suite, what its packages have not is not found.
    if [ -n "${ACMETOOL_PROGRAMS:-}" ]; then
        local folder
        for folder in /usr/bin /usr/sbin /bin /sbin; do [[ :$PATH: != *":$folder:"* ]]; done
    fi
}

@test "FLD-U6: no test, benchmark or example waits at random" {
    local random='lego|certbot'
    # Lines that go on are one line; a call of ours is a word, not a mention.
    find "$ROOT"/{tests,bench,examples} -type f ! -name packages.bats -exec sed -e ':a; /\\$/ { N; s/\\\n//; ba }' {} + |
        grep -aE '^[^#]*\brenew\b' | grep -aE "\b(run_)?($random)\b" >calls
    grep -q lego calls
    ! grep -vE -- '--no-random-sleep(-on-renew)?\b' calls || return 1
}

# tree: a copy of tests/run among programs that do nothing, and two files of tests, of which one is slow.
tree() {
    mkdir -p packaging docs tests/cli tests/flows tests/lib tests/tree fuzz build/bin bin
    cp "$ROOT/tests/run" tests
    cp "$ROOT/tests/lib/ccache.bash" tests/lib
    printf '#!/bin/sh\nexit 0\n' | tee packaging/install-packages packaging/link-programs bin/cmake >/dev/null
    printf '#!/bin/sh\necho "[doctest] test cases: 1 | 1 passed | 0 failed | 0 skipped"\n' >build/bin/unit-tests
    # shellcheck disable=SC2016 # it is a script
    printf '#!/bin/sh\nexec "$@"\n' >tests/lib/with-postgresql
    chmod +x packaging/* bin/* build/bin/* tests/lib/*
    printf '@test "quick" { true; }\n' >tests/cli/quick.bats
    # It is slow until its progress was shown, however slow the machine is.
    # shellcheck disable=SC2016 # it is a script
    printf '@test "slow" { for _ in $(seq 900); do ! grep -q "[12] of 2 tests begun" "%s" || break; sleep 0.1; done; }\n@test "last" { true; }\n' \
        "$PWD/said" >tests/flows/slow.bats
}

@test "FLD-U6: tests/run shows how far it is, also without a terminal" {
    tree
    # Without the folder of the bats that runs this.
    env -i "PATH=$PWD/bin:${PATH//"$BATS_LIBEXEC:"/}" HOME="$PWD" TMPDIR=/tmp ACMETOOL_PROGRESS=1 tests/run release l >said 2>&1 </dev/null || true
    cat said
    grep -qE '^# [12] of 2 tests begun, [0-9]+ s$' said
    grep -q '^ok .* last$' said
    # It comes before the results, not with them.
    [ "$(grep -nE -m 1 'tests begun' said | cut -d: -f1)" -lt "$(grep -nE -m 1 '^ok .* slow' said | cut -d: -f1)" ]
    [ "$(tail -n 1 said)" = "3 passed, 0 failed, 0 skipped" ]
}
