#!/usr/bin/env bats
# docs/conformance: what it makes of the list of requirements and the titles of tests, on a small tree.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    mkdir -p docs tests/flows
    cp "$ROOT/docs/conformance" docs
    cat >docs/requirements.md <<'LIST'
# Requirements

- A line above the first section is no requirement.

## 1. Programs (one of them)

- ABC-01 [MUST] The program does this (and more). (RFC 1 §2; a note (in parentheses))
- ABC-02a [SHOULD] The program does that.

## 2. Reports

- FLD-A1 [PROD] (not yet) The program will do more. (RFC 2)
LIST
    titles "ABC-01, ABC-02a: both" "a test without ID: SHA-256, SHA-1 and P-256"
    docs/conformance
}

# titles TITLE...: the tests of the tree, all of which passed.
titles() {
    printf '@test "%s" { true; }\n' "$@" >tests/flows/a.bats
    printf '%s\n' "$@" >passed
}

# complains TEXT [FILE...]: --check fails with that one complaint, on a page that is up to date.
complains() {
    docs/conformance >/dev/null || true
    run docs/conformance --check "${@:2}"
    echo "$output"
    [ "$status" = 1 ]
    [ "$output" = "$1" ]
}

@test "conformance: the page has level, source and tests of each requirement, and --check compares it" {
    grep -qxF '## 1. Programs' docs/CONFORMANCE.md
    grep -qxF '| ABC-01 | MUST | RFC 1 §2; a note (in parentheses) | ABC-01, ABC-02a: both (`tests/flows/a.bats`) |' docs/CONFORMANCE.md
    grep -qxF '| ABC-02a | SHOULD |  | ABC-01, ABC-02a: both (`tests/flows/a.bats`) |' docs/CONFORMANCE.md
    grep -qxF '| FLD-A1 | PROD | RFC 2 | not yet |' docs/CONFORMANCE.md
    [ "$(grep -c '^| [A-Z]*-' docs/CONFORMANCE.md)" = 3 ]
    docs/conformance --check
    docs/conformance --check passed
    echo >>docs/CONFORMANCE.md
    run docs/conformance --check passed
    [ "$status" = 1 ]
    [ "$output" = "docs/CONFORMANCE.md is out of date: run docs/conformance" ]
    rm docs/CONFORMANCE.md
    run docs/conformance --check passed
    [ "$status" = 1 ]
}

@test "conformance: a title that names an ID that is not listed fails" {
    local name
    for name in ABC-03 ABC-1 ABC-02 ABC-01a FLD-A2 FLD-B1 XYZ-01 XYZ-A1; do
        titles "ABC-01, ABC-02a: both" "$name: another"
        complains "tests/flows/a.bats: \"$name: another\" names $name, which docs/requirements.md does not list" passed
    done
}

@test "conformance: a requirement marked as not yet tested whose test passed fails" {
    titles "ABC-01, ABC-02a: both" "FLD-A1: more"
    complains 'FLD-A1: has a test: remove "(not yet)" from docs/requirements.md'
    complains 'FLD-A1: has a test: remove "(not yet)" from docs/requirements.md' passed
    sed -i '/FLD-A1/d' passed
    docs/conformance --check passed
}

@test "conformance: a requirement without a test fails" {
    titles "ABC-01: one"
    complains "ABC-02a: no test names it" passed
}

@test "conformance: a skipped test covers nothing, unless it is excused" {
    titles "ABC-01: one" "ABC-02a: two" "ABC-02a: three"
    sed -i '/three/d' passed
    docs/conformance
    docs/conformance --check passed
    sed -i '/two/d' passed
    complains "ABC-02a: none of its tests ran and passed" passed
    touch excused
    complains "ABC-02a: none of its tests ran and passed" passed excused
    echo "ABC-02a: three" >excused
    docs/conformance --check passed excused
}

@test "conformance: a title of more than three IDs, a line that cannot be read and an ID listed twice fail" {
    sed -i '$a - ABC-03 [MUST] The program does a third thing.\n- ABC-04 [MUST] The program does a fourth thing.' docs/requirements.md
    titles "ABC-01, ABC-02a, ABC-03, ABC-04: all"
    complains 'tests/flows/a.bats: "ABC-01, ABC-02a, ABC-03, ABC-04: all" names more than 3 IDs' passed
    titles "ABC-01, ABC-02a: both" "ABC-03, ABC-04: both"
    cp docs/requirements.md good.md
    local line
    for line in "- ABC-05 The program has no level." "- ABC-05 [SOME] The level is unknown." "- ABC-05 [MUST] No full stop" "- ABC5 [MUST] No ID."; do
        { cat good.md && echo "$line"; } >docs/requirements.md
        complains "docs/requirements.md: cannot read: $line" passed
    done
    { cat good.md && echo "- ABC-01 [MUST] The program does this again."; } >docs/requirements.md
    complains "docs/requirements.md: ABC-01 is listed twice" passed
}

@test "conformance: deviations with their reasons are repeated on the page; one without a reason or of an unknown ID fails" {
    ! grep -q Deviations docs/CONFORMANCE.md || return 1
    printf '\n## Deviations\n\nText.\n\n- ABC-01: RFC 1 has this; the program does that. Reason: it is better.\n' >>docs/requirements.md
    docs/conformance
    grep -qxF '| ABC-01 | RFC 1 has this; the program does that. Reason: it is better. |' docs/CONFORMANCE.md
    docs/conformance --check passed
    local line
    for line in '- ABC-01: The program does that.' '- ABC-09: The program does that. Reason: it is better.'; do
        sed -i '$d' docs/requirements.md
        echo "$line" >>docs/requirements.md
        complains "docs/requirements.md: cannot read, or names an ID that is not listed: $line" passed
    done
}
