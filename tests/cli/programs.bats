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

cert_of_nobody() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 1 -subj /CN=x 2>/dev/null
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
        for verb in $("$program" --help --json | jq -r '.commands[].name // empty'); do
            "$program" "$verb" --help >/dev/null
            [ "$("$program" "$verb" --version)" = "$program 0.1.0" ]
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

@test "CSR-01a, CSR-01b: a request that openssl reads and verifies, in PEM, DER and JSON" {
    local type
    for type in ec:P-256 ec:P-384 ec:P-521 rsa:2048 ed25519; do
        csr-build --new-key "$type" --key-out "k-$type" --dns Sub.Example.COM. --ip 2001:db8::1 -o r.pem
        openssl req -in r.pem -noout -verify
        openssl req -in r.pem -noout -text >r.txt
        grep -F "DNS:sub.example.com, IP Address:2001:DB8:0:0:0:0:0:1" r.txt
        grep -F "Version: 1 (0x0)" r.txt
        grep -A 1 -F "Requested Extensions:" r.txt | grep -F "X509v3 Subject Alternative Name"
        [ "$(stat -c %a "k-$type")" = 600 ]
    done
    csr-build --key k-ed25519 --dns a.example --format der | openssl req -inform der -noout -verify
    csr-build --key k-ed25519 --dns a.example --json | jq -e '.type == "csr" and .keyFile == "k-ed25519" and (.csr | length > 0)'
}

@test "CSR-08a, CSR-08b: one challengePassword of 255 octets at most, from a file" {
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

@test "CSR-02a, CSR-02b, CSR-02c: a common name repeats one of the names" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example --dns b.example --cn b.example | openssl req -noout -subject | grep b.example
    fails 65 commonNameNotInSan csr-build --key k --dns a.example --cn c.example
    local long
    long=$(printf 'abcdefghi.%.0s' {1..6})example
    csr-build --key k --dns "$long" --cn "$long" -o l.csr
    [ "$(openssl req -in l.csr -noout -subject)" = "subject=" ]
    openssl req -in l.csr -noout -text | grep -F "DNS:$long"
}

@test "CSR-05a, CSR-05b, CSR-07: no underscore, no address as a name, wildcards only where they are allowed" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    fails 65 underscoreInName csr-build --key k --dns under_score.example
    fails 65 ipLiteral csr-build --key k --dns 192.0.2.1
    fails 65 wildcardNotAllowed csr-build --key k --dns '*.example.org'
    fails 65 badAddress csr-build --key k --ip example.org
    fails 65 badLabel csr-build --key k --dns 'a*.example.org' --allow-wildcard
    fails 65 badLabel csr-build --key k --dns 'a.*.example.org' --allow-wildcard
    csr-build --key k --dns '*.example.org' --allow-wildcard | openssl req -noout -text | grep -F 'DNS:*.example.org'
}

@test "CSR-03b, CSR-04b, CSR-04c: labels are refused, each for its own cause; IDNs become A-labels" {
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

@test "ACME-30c: a CSR that is none, without SAN, changed, or with a key that is none" {
    account_file https://127.0.0.1:1/directory
    run bash -c 'echo junk | acme-order run --json'
    [ "$status" = 65 ]
    [[ "$output" == *notACsr* ]]
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout o.key -subj /CN=a.example -out o.csr 2>/dev/null
    run bash -c 'acme-order run --json <o.csr'
    [ "$status" = 65 ]
    [[ "$output" == *csrWithoutSan* ]]
    csr-build --key o.key --dns a.example --format der -o c.der
    # The last octet is of the signature. Another value in its place would be the same once in 256 times.
    python3 -c 'd = bytearray(open("c.der", "rb").read()); d[-1] ^= 1; open("c.der", "wb").write(d)'
    run bash -c 'acme-order run --json <c.der'
    [ "$status" = 65 ]
    [[ "$output" == *csrSignature* ]]
    run csr-build --key o.csr --dns a.example
    [ "$status" = 78 ]
}

@test "ACME-01a: an unreachable directory is 69, a plain http one is refused, a wrong CA file is 78" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o r.csr
    account_file https://127.0.0.1:1/directory
    run bash -c 'acme-order run --json <r.csr'
    [ "$status" = 69 ]
    [[ "$output" == *connect* ]]
    run bash -c 'acme-order run --json --ca-file nothing.pem <r.csr'
    [ "$status" = 78 ]
    run acme-account register --json --account b.json --directory http://127.0.0.1:1/directory
    [ "$status" = 64 ]
    [[ "$output" == *badDirectory* ]]
}

@test "libraries are loaded at their first use: csr-build needs none of them, and what needs one that is broken is 78" {
    local library
    mkdir none
    for library in libcurl.so.4 libsqlite3.so.0 libpq.so.5 libidn2.so.0 libpsl.so.5; do : >"none/$library"; done
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" csr-build --new-key ec:P-256 --key-out lk --dns a.example.com -o l.csr
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" fails 78 libcurl acme-account register --account none/a.json \
        --directory https://127.0.0.1:1/directory
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" fails 78 sqlite acme-ca serve --dir none/ca --listen 127.0.0.1:0
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" fails 78 libidn2 csr-build --new-key ec:P-256 --key-out ik --dns bücher.example
    LD_LIBRARY_PATH="$PWD/none:$LD_LIBRARY_PATH" fails 78 libidn2 csr-build --new-key ec:P-256 --key-out ik --dns xn--bcher-kva.example
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

@test "FLD-U10: wrong values are refused before anything is sent: URLs, listeners, types of keys, folders, input" {
    local url type
    for url in ftp://ca.example/directory foo http://ca.example/directory https:// "https://a b/"; do
        fails 64 badDirectory acme-account register --directory "$url" --account b.json
        fails 64 badDirectory acme-order renewal-info --directory "$url" <<<"$(cert_of_nobody)"
    done
    [ ! -e b.key ]
    account_file https://127.0.0.1:1/directory
    for type in foo ec:P-257 rsa:1024 ""; do
        [ -z "$type" ] || fails 64 badKeyType acme-account rollover --key-type "$type"
        fails 64 badKeyType acme-account register --directory https://127.0.0.1:1/directory --account b.json --key-type "${type:-x}"
        fails 64 badKeyType brski-pledge run --registrar https://127.0.0.1:1 --new-key "${type:-x}" --key-out d.key
        fails 64 badKeyType est-enroll run --server https://127.0.0.1:1 --new-key "${type:-x}" --key-out d.key
    done
    fails 64 badServer acme-ca serve --dir ca --listen foo
    fails 64 badServer acme-ca serve --dir ca --listen 127.0.0.1:port
    fails 64 badServer brski-masa serve --dir masa --listen foo
    fails 78 noFolder acme-ca list --dir nodir
    fails 78 noFolder brski-masa log --dir nodir --serial x
    [ ! -e nodir ]
    run brski-masa sign --dir masa --json <<<"what is this?"
    echo "$output"
    [ "$status" = 65 ]
}

@test "FLD-A8: a key that others can access is refused from its owner, and warned of where it is mounted or another user's" {
    account_file https://127.0.0.1:1/directory
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o r.csr
    local order='acme-order run --json <r.csr' mode
    for mode in 0440 0444 0640 0644; do
        chmod "$mode" acct.key
        run bash -c "$order"
        echo "$output"
        [ "$status" = 78 ]
        [[ "$output" == *keyPermissions* && "$output" == *"(mode $mode)"* && "$output" == *"chmod 600 acct.key"* ]]
    done
    warned() { # COMMAND...: goes on to the CA, which is not there
        run "$@"
        echo "$output"
        [ "$status" = 69 ]
        [[ "$output" == *"warning: account key acct.key: accessible to other users (mode 0644); whoever provides this file"* ]]
    }
    CREDENTIALS_DIRECTORY=$PWD warned bash -c "$order"
    CREDENTIALS_DIRECTORY=$PWD/other run bash -c "$order"
    [ "$status" = 78 ]
    if unshare -m true 2>/dev/null; then
        warned unshare -m bash -c "mount --bind acct.key acct.key && $order"
        mkdir secrets && mv acct.key secrets
        ln -s secrets/acct.key acct.key
        warned unshare -m bash -c "mount --bind secrets secrets && mount -o remount,bind,ro secrets && $order"
        run bash -c "$order"
        [ "$status" = 78 ]
    fi
    if [ "$(id -u)" = 0 ]; then
        chown 65534 "$(realpath acct.key)"
        warned bash -c "$order"
    fi
}

@test "FLD-A12: -o obeys the umask, keeps owner and mode of the old file, and writes a mounted file in place" {
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o /dev/null
    local build=(csr-build --key k --dns a.example) mask
    for mask in 022:644 027:640 077:600; do
        (umask "${mask%:*}" && "${build[@]}" -o "r${mask%:*}")
        [ "$(stat -c %a "r${mask%:*}")" = "${mask#*:}" ]
    done
    chmod 664 r077
    if [ "$(id -u)" = 0 ]; then chown 65534:65533 r077; fi
    local before
    before=$(stat -c '%a %u %g' r077)
    ln -s r077 link
    (umask 077 && "${build[@]}" -o link)
    [ "$(stat -c '%a %u %g' r077)" = "$before" ]
    [ -L link ]
    run "${build[@]}" -o . --json
    [ "$status" = 73 ]
    unshare -m true 2>/dev/null || skip "no mount namespace for a file that is mounted by itself"
    mkdir d
    yes | head -n 100 >d/mounted
    run unshare -m bash -c "mount --bind d/mounted d/mounted && ${build[*]} -o d/mounted"
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == *"warning: d/mounted: written in place, because it is a mount of its own"* ]]
    openssl req -in d/mounted -noout
    [ "$(tail -n 1 d/mounted)" = "-----END CERTIFICATE REQUEST-----" ]
    run unshare -m bash -c "mount --bind d d && mount --bind d/mounted d/mounted && mount -o remount,bind,ro d && ${build[*]} -o d/mounted"
    echo "$output"
    [ "$status" = 0 ]
    [[ "$output" == *"because its folder cannot be written"* ]]
    [ "$(ls d)" = mounted ]
}

@test "FLD-A12: a trace that cannot be written is an error before any request, also with -q" {
    account_file https://127.0.0.1:1/directory
    local file
    for file in nowhere/t.jsonl . acct.json/t; do
        run acme-account show -q --trace "$file"
        echo "$output"
        [ "$status" = 73 ]
        [[ "$output" == *"--trace"* && "$output" != *127.0.0.1* ]]
    done
}

@test "FLD-A14: --hook-env passes a variable to the hook, and nothing else; ours cannot be replaced" {
    local token=LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0
    cat >1.json <<EOF
{"type": "authorization", "version": 1, "identifier": {"type": "dns", "value": "a.example"}, "status": "pending",
 "url": "https://127.0.0.1:1/authz/1", "challenge": {"type": "http-01", "url": "https://127.0.0.1:1/challenge/1",
 "token": "$token", "keyAuthorization": "$token.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"}}
EOF
    printf '#!/bin/sh\nprintf "%%s\\n" "$API_TOKEN" "$API_SECRET" "$ACMETOOL_IDENT" >"%s/seen"\n' "$PWD" >hook
    chmod +x hook
    export API_TOKEN="one two" API_SECRET=three ACMETOOL_IDENT=evil
    acme-preauth publish --hook ./hook --hook-env API_TOKEN --hook-env ACMETOOL_IDENT -o 2.json <1.json
    [ "$(cat seen)" = $'one two\n\na.example' ]
    ACMETOOL_HOOK_ENV=API_TOKEN,API_SECRET acme-preauth publish --hook ./hook -o 2.json <1.json
    [ "$(cat seen)" = $'one two\nthree\na.example' ]
    run acme-preauth publish --hook ./hook --hook-env NOWHERE -o 2.json <1.json
    [ "$status" = 0 ]
    [[ "$output" == *"warning: hook: NOWHERE is not set"* ]]
    local wrong
    for wrong in TOKEN=secret "" 1A "A B"; do
        run acme-preauth publish --json --hook ./hook "--hook-env=$wrong" <1.json
        echo "$output"
        [ "$status" = 64 ]
    done
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

@test "CHAL-07b: a hook gets what looks like shell as it is" {
    # shellcheck disable=SC2016 # nobody is to expand it
    local odd='$(touch touched);`touch touched`|touch touched'
    printf '#!/bin/sh\nprintf "%%s\\n" "$@" >"%s/arguments"\n' "$PWD" >"hook $odd"
    chmod +x "hook $odd"
    cat >1.json <<EOF
{"type": "authorization", "version": 1, "identifier": {"type": "dns", "value": "a.example"}, "status": "pending",
 "url": "https://127.0.0.1:1/authz/1", "challenge": {"type": "http-01", "url": "https://127.0.0.1:1/challenge/1",
 "token": "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0",
 "keyAuthorization": "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"}}
EOF
    acme-preauth publish --hook "./hook $odd" -o 2.json <1.json
    [ "$(sed -n 3p arguments)" = a.example ]
    [ ! -e touched ]
}

@test "ACME-39d: a secret is named by a file; given as an argument itself it is refused, and is in no message" {
    local secret=c2VjcmV0LXNlY3JldC1zZWNyZXQ
    csr-build --new-key ec:P-256 --key-out k --dns a.example -o r.csr
    account_file https://127.0.0.1:1/directory
    cat >1.json <<EOF
{"type": "authorization", "version": 1, "identifier": {"type": "dns", "value": "a.example"}, "status": "pending",
 "url": "https://127.0.0.1:1/authz/1", "challenge": {"type": "dns-01", "url": "https://127.0.0.1:1/challenge/1",
 "token": "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"},
 "record": {"name": "_acme-challenge.a.example", "value": "iQ8vWkZ0mJ2bq8y5nXoH3dXw1cTtKpGfRsUeVaYzLhM"}}
EOF
    run bash -c "acme-preauth publish --dns-update 127.0.0.1:1 --tsig-key hmac-sha256:k:$secret <1.json"
    [ "$status" = 78 ]
    local option
    for option in "acme-account register --directory https://127.0.0.1:1/d --account b.json --eab-kid k --eab-key" \
        "acme-account register --directory https://127.0.0.1:1/d --account b.json --account-passphrase" \
        "est-enroll cacerts --server https://127.0.0.1:1 --user u --password" \
        "est-enroll cacerts --server https://127.0.0.1:1 --cert k --key k --key-passphrase" \
        "csr-build --key k --dns a.example --challenge-password"; do
        run bash -c "$option $secret"
        echo "$option: $output"
        [ "$status" = 64 ]
        [[ "$output" != *"$secret"* ]]
    done
}

@test "CHAL-09a, SEC-05: the web root's file has the key authorization, and nothing is written outside of the folder" {
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
