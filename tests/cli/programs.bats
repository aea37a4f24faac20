#!/usr/bin/env bats
# What every program does with options, streams and wrong uses; no network but a port that nobody listens on.

load ../lib/common

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

fails() { # STATUS CODE PROGRAM...
    local expected=$1 code=$2
    shift 2
    run "$@" --json
    echo "$output"
    [ "$status" = "$expected" ]
    [[ "$output" == *"\"code\": \"$code\""* ]]
}

account_file() { # DIRECTORY [FILE]
    csr-build --new-key ec:P-256 --key-out "${2:-acct}.key" --dns x.example >/dev/null
    cat >"${2:-acct}.json" <<EOF
{"type": "account", "version": 1, "directory": "$1", "url": "${1%/*}/account/1", "keyFile": "${2:-acct}.key"}
EOF
}

@test "--help and --version of every program and verb, on standard output" {
    local program verb
    for program in csr-build acme-account acme-preauth acme-order acme-ca acme-trace est-enroll; do
        run "$program" --help
        [ "$status" = 0 ]
        [[ "$output" == *Usage:* ]]
        [ "$("$program" --version)" = "$program 0.1.0" ]
        for verb in $("$program" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z-]*\) .*/\1/p'); do
            "$program" "$verb" --help >/dev/null
        done
    done
}

@test "wrong calls are 64: no verb, a mistyped one with the nearest, an unknown option, a bad duration" {
    local program
    for program in acme-account acme-preauth acme-order acme-ca acme-trace est-enroll; do
        run "$program"
        [ "$status" = 64 ]
    done
    run acme-order dowload
    [ "$status" = 64 ]
    [[ "$output" == *'did you mean "download"?'* ]]
    run acme-order run --nonsense
    [ "$status" = 64 ]
    run acme-order run --timeout 10
    [ "$status" = 64 ]
    fails 64 noSolver acme-preauth run example.org
    fails 64 severalSolvers acme-preauth run --manual --webroot . example.org
}

@test "standard input empty is 65 emptyInput, closed or full standard output is 74" {
    run bash -c 'acme-order run --json </dev/null'
    [ "$status" = 65 ]
    [[ "$output" == *emptyInput* ]]
    run bash -c 'csr-build --new-key ec:P-256 --key-out k1 --dns a.example >&-'
    [ "$status" = 74 ]
    run bash -c 'csr-build --new-key ec:P-256 --key-out k2 --dns a.example >/dev/full'
    [ "$status" = 74 ]
    run bash -c 'set -o pipefail; csr-build --new-key ec:P-256 --key-out k3 --dns a.example | true; acme-order --help | head -n 1'
    [ "$status" = 0 ]
}

@test "CSR-01, CSR-14: a request that openssl reads and verifies, in PEM, DER and JSON" {
    local type
    for type in ec:P-256 ec:P-384 ec:P-521 rsa:2048 ed25519; do
        csr-build --new-key "$type" --key-out "k-$type" --dns Sub.Example.COM. --ip 2001:db8::1 -o r.pem
        openssl req -in r.pem -noout -verify
        openssl req -in r.pem -noout -text | grep -F "DNS:sub.example.com, IP Address:2001:DB8:0:0:0:0:0:1"
        [ "$(stat -c %a "k-$type")" = 600 ]
    done
    csr-build --key k-ed25519 --dns a.example --format der | openssl req -inform der -noout -verify
    csr-build --key k-ed25519 --dns a.example --json | jq -e '.type == "csr" and .keyFile == "k-ed25519" and (.csr | length > 0)'
}

@test "CSR-08: one challengePassword of 255 octets at most, from a file" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    openssl rand -base64 48 | tr -d '\n' >binding
    csr-build --key k --dns a.example --challenge-password-file binding -o r.csr
    [ "$(openssl req -in r.csr -noout -text | sed -n 's/ *challengePassword *://p')" = "$(cat binding)" ]
    openssl req -in r.csr -noout -verify
    head -c 255 /dev/zero | tr '\0' A >binding
    csr-build --key k --dns a.example --challenge-password-file binding -o r.csr
    head -c 256 /dev/zero | tr '\0' A >binding
    fails 65 challengePassword csr-build --key k --dns a.example --challenge-password-file binding
    echo >binding
    fails 65 challengePassword csr-build --key k --dns a.example --challenge-password-file binding
}

@test "CSR-02: a common name repeats one of the names" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example --dns b.example --cn b.example | openssl req -noout -subject | grep b.example
    fails 65 commonNameNotInSan csr-build --key k --dns a.example --cn c.example
    local long
    long=$(printf 'abcdefghi.%.0s' {1..6})example
    csr-build --key k --dns "$long" --cn "$long" -o l.csr
    [ "$(openssl req -in l.csr -noout -subject)" = "subject=" ]
    openssl req -in l.csr -noout -text | grep -F "DNS:$long"
}

@test "CSR-05, CSR-07: no underscore, no address as a name, wildcards only where they are allowed" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    fails 65 underscoreInName csr-build --key k --dns under_score.example
    fails 65 ipLiteral csr-build --key k --dns 192.0.2.1
    fails 65 wildcardNotAllowed csr-build --key k --dns '*.example.org'
    fails 65 badAddress csr-build --key k --ip example.org
    csr-build --key k --dns '*.example.org' --allow-wildcard | openssl req -noout -text | grep -F 'DNS:*.example.org'
}

@test "CSR-03, CSR-04: labels are refused, each for its own cause; IDNs become A-labels" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    fails 65 badLabel csr-build --key k --dns -a.example
    fails 65 badLabel csr-build --key k --dns ab--c.example
    fails 65 badALabel csr-build --key k --dns xn--zzzzzzzzz999.example
    fails 65 emptyName csr-build --key k --dns a..example
    fails 65 labelTooLong csr-build --key k --dns "$(printf 'a%.0s' {1..64}).example"
    csr-build --key k --dns bücher.example | openssl req -noout -text | grep xn--bcher-kva.example
}

@test "a key is never overwritten (73), and nothing is made when the request fails" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    cp k before
    fails 73 fileExists csr-build --new-key ec:P-256 --key-out k --dns a.example
    cmp k before
    fails 65 underscoreInName csr-build --new-key ec:P-256 --key-out new --dns a_b.example
    [ ! -e new ]
    csr-build --key k --dns a.example -o /dev/null
    [ -c /dev/null ]
    fails 73 outputFolder csr-build --key k --dns a.example -o /nowhere/r.csr
    fails 64 noKey csr-build --dns a.example
    fails 64 badKeyType csr-build --new-key ec:P-224 --key-out n --dns a.example
}

@test "a CSR that is none, without SAN, changed, or with a key that is none" {
    account_file https://127.0.0.1:1/directory
    run bash -c 'echo junk | acme-order run --json'
    [ "$status" = 65 ]
    [[ "$output" == *notACsr* ]]
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key -subj /CN=a.example -out o.csr 2>/dev/null
    run bash -c 'acme-order run --json <o.csr'
    [ "$status" = 65 ]
    [[ "$output" == *csrWithoutSan* ]]
    csr-build --key o.key --dns a.example --format der -o c.der
    printf '\377' | dd of=c.der bs=1 seek=$(($(stat -c %s c.der) - 1)) conv=notrunc 2>/dev/null
    run bash -c 'acme-order run --json <c.der'
    [ "$status" = 65 ]
    [[ "$output" == *csrSignature* ]]
    run csr-build --key o.csr --dns a.example
    [ "$status" = 78 ]
}

@test "ACME-01: an unreachable directory is 69, a plain http one is refused, a wrong CA file is 78" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o r.csr
    account_file https://127.0.0.1:1/directory
    run bash -c 'acme-order run --json <r.csr'
    [ "$status" = 69 ]
    [[ "$output" == *connect* ]]
    run bash -c 'acme-order run --json --ca-file nothing.pem <r.csr'
    [ "$status" = 78 ]
    run acme-account register --json --account b.json --directory http://127.0.0.1:1/directory
    [ "$status" = 76 ]
    [[ "$output" == *notHttps* ]]
}

@test "libcurl is loaded by the first request: csr-build needs none, an order without it is 78 libcurl" {
    mkdir none
    : >none/libcurl.so.4
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" csr-build --new-key ec:P-256 --key-out lk --dns a.example.com -o l.csr
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" fails 78 libcurl acme-account register --account none/a.json \
        --directory https://127.0.0.1:1/directory
}

@test "an account file that is missing, broken, or whose key others can read is 78" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o r.csr
    run bash -c 'acme-order run --json <r.csr'
    [ "$status" = 78 ]
    [[ "$output" == *noAccount* ]]
    echo '{"type": "account"' >acct.json
    run bash -c 'acme-order run --json <r.csr'
    [ "$status" = 78 ]
    rm acct.json
    account_file https://127.0.0.1:1/directory
    chmod 644 acct.key
    run bash -c 'acme-order run --json <r.csr'
    [ "$status" = 78 ]
    [[ "$output" == *keyPermissions* ]]
}

@test "flag before environment before configuration file; unknown keys with line and column" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    printf 'key = "nothing"\ndns = ["file.example"]\n' >c.toml
    run csr-build --config c.toml
    [ "$status" = 78 ]
    ACMETOOL_KEY=k csr-build --config c.toml | openssl req -noout -text | grep file.example
    ACMETOOL_KEY=nothing csr-build --config c.toml --key k --dns flag.example | openssl req -noout -text | grep flag.example
    printf 'key = "k"\n\n  dsn = "a.example"\n' >c.toml
    run csr-build --config c.toml --dns a.example
    [ "$status" = 78 ]
    [[ "$output" == *"c.toml:3:"* && "$output" == *dsn* ]]
    printf 'key = \n' >c.toml
    run csr-build --config c.toml --dns a.example
    [ "$status" = 78 ]
    [[ "$output" == *"c.toml:1:"* ]]
}

@test "documents of another kind are 65" {
    account_file https://127.0.0.1:1/directory
    run bash -c 'echo "{\"type\":\"csr\",\"version\":1}" | acme-preauth publish --json --dns-update 127.0.0.1:1'
    [ "$status" = 65 ]
    [[ "$output" == *notADocument* ]]
    run bash -c 'echo "not json" | acme-preauth cleanup --json --dns-update 127.0.0.1:1'
    [ "$status" = 65 ]
}

@test "CHAL-09, SEC-05: the web root's file has the key authorization, and nothing is written outside of the folder" {
    local token=LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0 place=web/.well-known/acme-challenge
    cat >1.json <<EOF
{"type": "authorization", "version": 1, "identifier": {"type": "dns", "value": "a.example"}, "status": "pending",
 "url": "https://127.0.0.1:1/authz/1", "challenge": {"type": "http-01", "url": "https://127.0.0.1:1/challenge/1",
 "token": "$token", "keyAuthorization": "$token.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"}}
EOF
    mkdir web outside
    acme-preauth publish --webroot web -o 2.json <1.json
    [ "$(cat "$place/$token")" = "$token.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI" ]
    [ "$(stat -c %a "$place/$token")" = 644 ]
    acme-preauth cleanup --webroot web -o 3.json <2.json
    [ -z "$(ls "$place")" ]
    sed "s,$token,../../../outside/aaaaaaaaaaaaaaaa," 1.json >evil.json
    run bash -c 'acme-preauth publish --json --webroot web <evil.json'
    [ "$status" = 65 ]
    [[ "$output" == *badToken* ]]
    rm -r web/.well-known
    ln -s ../outside web/.well-known
    run bash -c 'acme-preauth publish --json --webroot web <1.json'
    [ "$status" = 78 ]
    [[ "$output" == *noWebroot* ]]
    [ -z "$(find outside -mindepth 1 -type f)" ]
    run bash -c 'acme-preauth publish --json --webroot nowhere <1.json'
    [ "$status" = 78 ]
}
