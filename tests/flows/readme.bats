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

@test "FLD-U5: options that README.md and the pages of docs name in their text are the program's" {
    local page call program verb word verbs count=0
    cd "$ROOT" || return
    for page in README.md docs/GUIDE.md docs/TROUBLESHOOTING.md docs/howto/*.md; do
        while read -r call; do
            read -r program verb _ <<<"$call"
            [ -f "$BUILD/bin/$program" ] || continue
            verbs=()
            [[ ! $verb =~ ^[a-z-]+$ || $verb == --* ]] || verbs=("$verb")
            "$program" "${verbs[@]}" --help >"$BATS_TEST_TMPDIR/help" || { echo "$page: $call: no such verb" && return 1; }
            for word in $call; do
                [[ $word != --* ]] || grep -qE -- "(^|[ ,])$word\b" "$BATS_TEST_TMPDIR/help" ||
                    { echo "$page: $call: no $word" && return 1; }
            done
            count=$((count + 1))
        done < <(sed '/^```/,/^```$/d' "$page" | grep -o '`[^`]*`' | tr -d '`')
    done
    [ "$count" -gt 30 ]
}

@test "OPR-41: links of the pages lead to files that are here" {
    local page link count=0
    cd "$ROOT" || return
    for page in *.md docs/*.md docs/howto/*.md examples/*.md; do
        while read -r link; do
            [ -e "$(dirname "$page")/$link" ] || { echo "$page: $link is not here" && return 1; }
            count=$((count + 1))
        done < <(grep -oE '\]\([^)]*\)' "$page" | sed 's/^](//; s/)$//; s/#.*//' | grep -vE '^(https?:|mailto:|$)')
    done
    [ "$count" -gt 60 ]
}
