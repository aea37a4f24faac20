#!/usr/bin/env bats
# The pages of docs/howto, followed by tests/readme, and what docs/TROUBLESHOOTING.md says of failures.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

follow() { # PAGE: as tests/readme does; STATUS in status
    [ "$EUID" = 0 ] && unshare -m -n --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null ||
        skip "a network and an /etc of its own need root"
    run "$ROOT/tests/readme" "$1"
    echo "$output"
}

follows() { # NAME
    follow "docs/howto/$1.md"
    [ "$status" = 0 ]
    [[ ${lines[-1]} == "docs/howto/$1.md: every command succeeded" ]]
}

@test "OPR-40: docs/howto/cron.md proves a domain from cron" { follows cron; }
@test "OPR-40: docs/howto/ci.md gets a certificate in a CI job" { follows ci; }
@test "OPR-40: docs/howto/est-devices.md enrols by strongSwan, and by curl and openssl" { follows est-devices; }
@test "OPR-40: docs/howto/brski-lab.md gives a device its voucher" { follows brski-lab; }
@test "OPR-40: docs/howto/dot1x.md admits a device through FreeRADIUS, hostapd and wpa_supplicant" { follows dot1x; }
@test "OPR-40: docs/howto/two-relays.md loses a relay, and no device notices" { follows two-relays; }
@test "OPR-40: docs/howto/moving.md moves a certificate of lego's and a hook of certbot's" { follows moving; }
@test "OPR-40: docs/howto/public-cas.md rehearses the rules of public CAs" { follows public-cas; }

@test "OPR-40: each page of docs/howto has a test here and a line in its README" {
    local page name count=0
    for page in "$ROOT"/docs/howto/*.md; do
        name=$(basename "$page" .md)
        [ "$name" != README ] || continue
        grep -q "{ follows $name; }\$" "$BATS_TEST_FILENAME" || { echo "$name has no test" && return 1; }
        grep -qF "($name.md)" "$ROOT/docs/howto/README.md" || { echo "$name is not in the list" && return 1; }
        count=$((count + 1))
    done
    [ "$count" -ge 8 ]
}

page() { # LINE...: a page in page.md
    printf '%s\n' "# A page" "" "$@" >page.md
}

@test "OPR-40: tests/readme refuses a command that fails, output that is not there, and a block that it does not know" {
    page '```sh' 'true' 'false' '```'
    follow "$PWD/page.md"
    [ "$status" = 1 ]
    [[ ${lines[-1]} == "$PWD/page.md:5: exit status 1" ]]
    page '```sh' 'echo one 2 three' '```' '```text' 'one … three' 'one … four' '```'
    follow "$PWD/page.md"
    [ "$status" = 1 ]
    [[ ${lines[-1]} == "$PWD/page.md:7: the command before did not print: one … four" ]]
    page '```sh' 'exit 69    # exit status 69' '```' '*Not run by the tests: needs a device.*' '' '```text' 'enable' '```' '```ini' 'key = value' '```'
    follow "$PWD/page.md"
    [ "$status" = 1 ]
    [[ ${lines[-1]} == "$PWD/page.md:12: a block that is neither sh, text nor a file"* ]]
}

# quoted MESSAGE-FILE: a message that docs/TROUBLESHOOTING.md quotes is in the file.
quoted() {
    local message pattern
    while IFS= read -r message; do
        pattern=$(sed 's/[][\.*^$]/\\&/g; s/…/.*/g' <<<"$message")
        if tr -s '\n ' ' ' <"$1" | grep -q -e "$pattern"; then
            echo "found: $message"
            return
        fi
    done < <(sed -n 's/^| `\([^`]*\)` | .*/\1/p' "$ROOT/docs/TROUBLESHOOTING.md")
    echo "docs/TROUBLESHOOTING.md has no row for this:"
    cat "$1"
    return 1
}

@test "OPR-42: each message that docs/TROUBLESHOOTING.md quotes is one of the programs" {
    "$ROOT/tests/lib/quoted_messages.py" "$ROOT/docs/TROUBLESHOOTING.md"
    # Another word, and a row without a message, are noticed.
    sed 's/`the device is blocked`/`the device is barred`/; s/^| `the certificate was revoked` /| revoked /' \
        "$ROOT/docs/TROUBLESHOOTING.md" >changed.md
    run "$ROOT/tests/lib/quoted_messages.py" changed.md
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"the device is barred"*"2 of them unknown" ]]
}

@test "OPR-42: failures that happen to everybody lead to a row of docs/TROUBLESHOOTING.md" {
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
    export RELAY_DOMAIN=domain.com
    write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    start_relay "$PKI"
    relay() { est-relay "$1" --config "$PKI/relay.toml" "${@:2}" >said 2>&1 || true; }
    ask() { # DEVICE NAME: its request, until it is answered; the answer is in "said", or the log's words if it has none
        make_csr "$2" request.csr
        for _ in $(seq 60); do
            est "$1" simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @request.csr
            [ "$STATUS" = 202 ] || break
            sleep 0.5
        done
        cp "$PKI/body" said
        [ -s said ] || grep "\"status\":$STATUS" "$PKI/relay.log" | tail -n 1 >said
    }
    # What devices are told.
    ask stranger9999 stranger9999.domain.com
    quoted said
    ask device0001 other.domain.com
    quoted said
    ask - device0001.domain.com
    quoted said
    relay block device0001
    ask device0001 device0001.domain.com
    quoted said
    relay unblock device0001
    set_fault problem=finalize:caa
    ask device0001 device0001.domain.com
    ask device0001 device0001.domain.com
    quoted said
    relay explain device0001
    quoted said
    set_fault problem=off
    # What a person at the prompt is told.
    acme-order run --account "$ACCOUNT" </dev/null >said 2>&1 || true
    quoted said
    csr-build --new-key ec:P-256 --key-out k --dns www.example.org -o www.csr
    acme-order run --account "$ACCOUNT" <www.csr >said 2>&1 || true
    quoted said
    csr-build --new-key ec:P-256 --key-out k --dns www.example.org -o www.csr >said 2>&1 || true
    quoted said
    echo "hmac-sha256:acme.key:$(openssl rand -base64 32)" >wrong.key
    acme-preauth run --account "$ACCOUNT" --dns-update "$DNS_SERVER" --tsig-key wrong.key domain.com >said 2>&1 || true
    quoted said
    est-enroll cacerts --server "https://127.0.0.1:$RELAY_PORT" --explicit-ta "$CA_FILE" >said 2>&1 || true
    quoted said
    est-enroll cacerts --server "https://127.0.0.1:$(free_port)" --explicit-ta "$CA_FILE" >said 2>&1 || true
    quoted said
    teap-enroll --radius "127.0.0.1:$(free_port)" --secret-file wrong.key --ca-file "$CA_FILE" --timeout 2s \
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" >said 2>&1 || true
    quoted said
}
