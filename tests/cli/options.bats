#!/usr/bin/env bats
# The options of --help, manual page and completions are the same set.

load ../lib/common

options_of() { # PROGRAM: every --option of its help, verbs included
    local verb
    {
        "$1" --help
        for verb in $("$1" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z-]*\) .*/\1/p'); do "$1" "$verb" --help; done
    } | grep -oE '^  (-[a-z],)?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

same_set() { # FILE TEXT...: the words of the two lists
    diff <(printf '%s\n' "$1" | sort -u) <(printf '%s\n' "$2" | sort -u)
}

@test "options of each program: help, page, bash, zsh and fish agree" {
    local program options
    for program in csr-build acme-account acme-preauth acme-order acme-ca acme-trace est-enroll est-relay teap-relay teap-enroll brski-pledge brski-masa; do
        options=$(options_of "$program" | grep -vxE -- '--(help|version)')
        [ -n "$options" ]
        same_set "$options" "$(grep -E '^\.It Fl' "$ROOT/man/$program.1" | grep -oE 'Fl -[a-z-]+' | sed 's/Fl -/--/' | grep -vxE -- '--(help|version)')"
        same_set "$options" "$(grep -oE -- '--[a-z-]+' "$ROOT/completions/bash/$program" | grep -vxE -- '--(help|version)')"
        same_set "$options" "$(grep -oE -- "^ *'--[a-z-]+" "$ROOT/completions/zsh/_$program" | grep -oE -- '--[a-z-]+' | grep -vxE -- '--(help|version)')"
        same_set "$options" "$(grep -oE -- ' -l [a-z-]+' "$ROOT/completions/fish/$program.fish" | sed 's/ -l /--/' | grep -vxE -- '--(help|version)')"
    done
}
