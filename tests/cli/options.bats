#!/usr/bin/env bats
# The options of --help, manual pages and completions are the same set, and so are the keys of the relays' configuration.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

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

page_options() { # PAGE...: the --options that it describes
    grep -hE '^\.It Fl' "$@" | grep -oE 'Fl -[a-z-]+' | sed 's/Fl -/--/' | grep -vxE -- '--(help|version)' | sort -u
}

without() { # TEXT TEXT: the words of the first that the second lacks
    comm -23 <(printf '%s\n' "$1" | sort -u) <(printf '%s\n' "$2" | sort -u)
}

@test "options of each program: help, pages, bash, zsh and fish agree" {
    local program options own shared
    shared=$(page_options "$ROOT/man/acmetool-options.7")
    for program in csr-build acme-account acme-preauth acme-order acme-ca acme-trace est-enroll est-relay teap-relay teap-enroll brski-pledge brski-masa; do
        options=$(options_of "$program" | grep -vxE -- '--(help|version)')
        [ -n "$options" ]
        own=$(page_options "$ROOT/man/$program.1")
        [ -z "$(without "$own" "$options")" ]
        [ -z "$(without "$options" "$own"$'\n'"$shared")" ]
        grep -q '^\.Xr acmetool-options 7' "$ROOT/man/$program.1"
        same_set "$options" "$(grep -oE -- '--[a-z-]+' "$ROOT/completions/bash/$program" | grep -vxE -- '--(help|version)')"
        same_set "$options" "$(grep -oE -- "^ *'--[a-z-]+" "$ROOT/completions/zsh/_$program" | grep -oE -- '--[a-z-]+' | grep -vxE -- '--(help|version)')"
        same_set "$options" "$(grep -oE -- ' -l [a-z-]+' "$ROOT/completions/fish/$program.fish" | sed 's/ -l /--/' | grep -vxE -- '--(help|version)')"
    done
}

@test "help fits 80 columns and names the kind of each argument" {
    local program verb
    for program in csr-build acme-account acme-preauth acme-order acme-ca acme-trace est-enroll est-relay teap-relay teap-enroll brski-pledge brski-masa; do
        for verb in "" $("$program" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z-]*\) .*/\1/p'); do
            "$program" ${verb:+"$verb"} --help >help
            [ "$(wc -L <help)" -le 80 ]
        done
    done
    acme-order run --help | grep -qx 'Usage: acme-order run \[OPTIONS\]'
    acme-order run --help | grep -qE '^  -o,--output FILE +Write the result'
    acme-order run --help | grep -qE '^  --dns-wait DURATION +Longest wait'
}

@test "a missing argument is named as help spells it" {
    run acme-preauth run --manual
    [ "$status" = 64 ]
    [[ "$output" == *"DOMAIN is required"* ]]
}

@test "keys of the relays' configuration: check --explain and the pages agree" {
    diff <(est-relay check --explain | awk '/^\[/ { section = $1; next } /^  [a-z]/ { print section, $1 }' | sort) \
        <(awk '/^\.Ss \[/ { section = $2; next } /^\.Sh / { section = "" } section && /^\.It Li / { print section, $3 }' \
            "$ROOT/man/relay.toml.5" "$ROOT/man/teap.toml.5" | sort)
}
