#!/usr/bin/env bats
# README.md, followed by a script.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

@test "FLD-U5: every command of README.md does what a newcomer expects, in the order of the page" {
    [ "$EUID" = 0 ] && unshare -m -n --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null ||
        skip "a network and an /etc of its own need root"
    run "$ROOT/tests/readme"
    echo "$output"
    [ "$status" = 0 ]
    [[ ${lines[-1]} == "README.md: every command succeeded" ]]
    # None was left out but what installs and measures.
    [ "$(grep -c '^\$ ' <<<"$output")" = "$(grep -c . < <(commands))" ]
}

# commands: the first word of each command in README.md's blocks that is a program of ours.
commands() {
    sed -n '/^```sh$/,/^```$/p' "$ROOT/README.md" | grep -E '^(acme-[a-z]+|csr-build|est-[a-z]+|teap-[a-z]+|brski-[a-z]+) '
}

@test "FLD-U5: options that README.md names in its text are the program's" {
    local call program verb word verbs count=0
    while read -r call; do
        read -r program verb _ <<<"$call"
        [ -f "$BUILD/bin/$program" ] || continue
        verbs=()
        [[ ! $verb =~ ^[a-z-]+$ || $verb == --* ]] || verbs=("$verb")
        "$program" "${verbs[@]}" --help >help
        for word in $call; do
            [[ $word != --* ]] || grep -qE -- "(^|[ ,])$word\b" help || { echo "$call: no $word" && return 1; }
        done
        count=$((count + 1))
    done < <(sed '/^```/,/^```$/d' "$ROOT/README.md" | grep -o '`[^`]*`' | tr -d '`')
    [ "$count" -gt 10 ]
}
