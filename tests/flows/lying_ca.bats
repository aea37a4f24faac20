#!/usr/bin/env bats
# A CA that names what nobody ordered: hooks, files, DNS and logs see none of it. A scripted peer.

load ../lib/common
load ../lib/relay

GOOD_TOKEN=LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.pem \
        -subj "/CN=odd" -addext "subjectAltName=IP:127.0.0.1" -days 2 2>/dev/null
    csr-build --new-key ec:P-256 --key-out k --dns www.domain.com -o c.csr
    # What a hook is called with, one argument or variable a line.
    cat >hook <<HOOK
#!/bin/sh
printf '%s\n' "\$@" "\$ACMETOOL_IDENT" "\$ACMETOOL_FQDN" "\$ACMETOOL_TOKEN" >>"$PWD/calls"
HOOK
    chmod +x hook
    mkdir web
    PORT="127.0.0.1:$(free_port)"
    KEY="hmac-sha256:acme.key:$(openssl rand -base64 32)"
    (umask 077 && echo "$KEY" >tsig.key)
    : >records
    python3 "$ROOT/tests/lib/odd_dns.py" records "$KEY" >dns.port 2>dns.err &
    STARTED+=($!)
    wait_for 10 grep -q . dns.port
    DNS=(--dns-update "127.0.0.1:$(cat dns.port)" --tsig-key tsig.key)
}

teardown() {
    stop_all
}

lying_ca() { # MODE...: starts it and registers there
    local pid=${CA_PID:-}
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" || true
    fi
    rm -f ca.port acct.json
    python3 "$ROOT/tests/lib/odd_ca.py" tls.pem tls.key requests.jsonl "$@" >ca.port 2>odd.err &
    CA_PID=$!
    STARTED+=("$CA_PID")
    wait_for 10 grep -q . ca.port
    acme-account register -q --directory "https://127.0.0.1:$(cat ca.port)/directory" --ca-file tls.pem -o /dev/null
}

identifier() { # TYPE VALUE: a JSON object that says whom the authorization is for
    jq -n --arg type "$1" --arg value "$2" '{identifier: {type: $type, value: $value}}'
}

untouched() {
    [ ! -e calls ]
    [ ! -s records ]
    [ -z "$(find web -type f)" ]
    [ ! -e touched ]
}

says() { # STATUS CODE
    [ "$status" = "$1" ]
    [[ "$output" == *"\"code\": \"$2\""* ]]
    # Nothing of what the CA said steers a terminal.
    [[ "$output" != *[$'\x01'-$'\x08\x0b'-$'\x1f\x7f']* ]]
}

@test "SEC-15: an authorization for what was not ordered is 76, whatever the solver, and no solver hears of it (ACME-45a)" {
    local lie solver code
    {
        identifier dns evil.domain.com
        identifier dns evil.invalid
        identifier dns -rf
        identifier dns "\$(touch touched)"
        identifier dns "\`touch touched\`"
        identifier dns $'www.domain.com\nupdate add evil.domain.com 60 A 192.0.2.1'
        identifier dns $'\e[31mwww.domain.com'
        identifier dns ../../etc/passwd
        identifier dns a.www.domain.com
        identifier dns xwww.domain.com
        identifier dns domain.com.evil.invalid
        identifier dns ''
        identifier dns .com
        identifier dns 192.0.2.1
        identifier ip 192.0.2.1
        identifier email www.domain.com
        printf '{"identifier": {"type": "dns", "value": "www.domain.com\\u0000.evil"}}\n'
        printf '{"identifier": {"type": "ip", "value": "127.0.0.1\\u0000evil"}}\n'
        printf '{"identifier": {"type": "dns", "value": "%0100000d"}}\n' 0
        printf '{"identifier": "www.domain.com"}\n'
        printf '{"identifier": {"type": "dns", "value": ["www.domain.com"]}}\n'
        printf '{"identifier": null}\n'
    } | jq -c . >lies
    lying_ca authz=lie.json
    while IFS= read -r lie; do
        echo "${lie:0:200}" | tee lie.short
        echo "$lie" >lie.json
        code=badAuthorization
        [[ $lie != *\"value\":\"* ]] || code=otherIdentifier
        for solver in "--hook ./hook --no-dns-check" "--hook ./hook --hook-style certbot --no-dns-check" \
            "--webroot web" "--standalone http --standalone-listen $PORT" "${DNS[*]}"; do
            read -ra words <<<"$solver"
            run acme-order run --timeout 60s --json "${words[@]}" <c.csr
            says 76 "$code"
            untouched
            ((${#output} < 3000))
        done
        run acme-preauth run --timeout 60s --json --hook ./hook --no-dns-check www.domain.com
        [ "$status" = 76 ]
        run acme-preauth new --json www.domain.com
        [ "$status" = 76 ]
        untouched
    done <lies
    [ "$(jq -r .path requests.jsonl | grep -c challenge)" = 0 ]
}

@test "SEC-15: the ordered name, the base of a wildcard and a parent are what an authorization may be for (ACME-45a)" {
    local pair
    csr-build --key k --allow-wildcard --dns '*.domain.com' -o wild.csr
    for pair in c:www.domain.com c:domain.com c:WWW.Domain.Com. wild:domain.com; do
        identifier dns "${pair#*:}" >lie.json
        lying_ca authz=lie.json
        rm -f calls
        # The order stays pending: nothing is ever issued.
        run acme-order run --json --timeout 8s --hook ./hook --no-dns-check <"${pair%:*}.csr"
        echo "$pair $output"
        [ "$status" = 75 ]
        [ "$(sed -n 1,3p calls | xargs)" = "begin dns-01 $(echo "${pair#*:}" | tr '[:upper:]' '[:lower:]' | sed 's/\.$//')" ]
    done
    # Pre-authorization is for just the name.
    identifier dns domain.com >lie.json
    run acme-preauth new --json www.domain.com
    says 76 otherIdentifier
}

@test "SEC-15: an authorization that becomes another's between two looks is 76, and is not remembered (ACME-45a)" {
    identifier dns evil.invalid >later.json
    lying_ca later=later.json
    run acme-preauth run --timeout 60s --json --hook ./hook --no-dns-check www.domain.com
    echo "$output"
    says 76 otherIdentifier
    grep -qx failed calls # what was published is removed
    run acme-preauth renew --check --hook ./hook www.domain.com
    [ "$status" = 0 ]
}

@test "SEC-15: tokens that are no base64url of 22 to 1000 characters are 76 badToken, whatever the solver (ACME-45b)" {
    local token solver
    lying_ca challenge=lie.json
    for token in short "" ../../../../../../etc/passwd -rf "$GOOD_TOKEN/../x" "$GOOD_TOKEN=" "$GOOD_TOKEN "$'\n' \
        "\$(touch touched)touch-touch" $'tokentokentokentoken\e[31mtoken' "$(printf '%01001d' 0)"; do
        jq -n --arg token "$token" '{token: $token}' >lie.json
        for solver in "--hook ./hook --no-dns-check" "--webroot web" "--standalone http --standalone-listen $PORT" \
            "${DNS[*]}"; do
            read -ra words <<<"$solver"
            run acme-order run --timeout 60s --json "${words[@]}" <c.csr
            echo "$token $output"
            says 76 badToken
            untouched
        done
    done
}

@test "SEC-15: challenge types, states, issuers and account URLs that are odd get nowhere (ACME-45c)" {
    local lie
    lying_ca challenge=lie.json
    for lie in '{"type": "-rf"}' '{"type": "dns-01\u0000"}' '{"type": "\u001b[2J"}' '{"status": "\u001b[2J"}' '{"url": 7}' \
        '{"url": ""}'; do
        echo "$lie" >lie.json
        run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
        echo "$lie $output"
        says 79 noUsableChallenge
        untouched
    done
    for lie in '{"url": "https://evil.invalid/c"}' '{"url": "https://127.0.0.1\u0000/c"}' '{"url": "file:///etc/passwd"}'; do
        echo "$lie" >lie.json
        run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
        echo "$lie $output"
        says 76 foreignUrl
    done
    echo '{"issuer-domain-names": ["evil issuer; accounturi=x", "-rf", "\u001b[2J"]}' >lie.json
    run acme-order run --timeout 60s --json --dns-persist --no-dns-check <c.csr
    says 76 badIssuers
    lying_ca authz=lie.json
    echo '{"status": "\u001b[2Jpending"}' >lie.json
    run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
    says 76 badAuthorization
    lying_ca order=lie.json
    run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
    says 76 badOrder
    echo '{"authorizations": ["https://evil.invalid/authz"]}' >lie.json
    run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
    says 76 foreignUrl
    echo '{"identifiers": [{"type": "dns", "value": "evil.invalid"}]}' >lie.json
    run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
    says 76 orderChanged
}

@test "SEC-15: words of the CA in errors and hints steer no terminal; profiles with odd names are none" {
    lying_ca refuse=lie.json
    jq -n '{type: "urn:ietf:params:acme:error:\u001b[31m\nrejected", detail: "no\u001b[2J\u0007 and\u009b31m\nmore", title: "\u0000",
        instance: "https://ca.example/\u001b[2J", subproblems: [{type: "\u001b", identifier: {type: "dns", value: "a\u001b"}}]}' >lie.json
    run acme-order run --timeout 60s --hook ./hook --no-dns-check <c.csr
    echo "$output" | cat -v
    [ "$status" = 77 ]
    [[ "$output" != *$'\e'* && "$output" != *$'\x07'* && "$output" != *$'\u009b'* ]]
    run acme-order run --timeout 60s --json --hook ./hook --no-dns-check <c.csr
    jq -r .code <<<"${output#*$'\n'}" || true
    [[ "$output" == *'"code": "refused"'* ]]
    echo '{"profiles": {"good": "g", "\u001b[31mbad": "b", "two words": "", "": ""}}' >meta.json
    lying_ca meta=meta.json
    run acme-order run --profile none --hook ./hook --no-dns-check <c.csr
    echo "$output" | cat -v
    [ "$status" = 65 ]
    [[ "$output" == *"it offers good"* && "$output" != *$'\e'* && "$output" != *bad* ]]
}

@test "SEC-15: a step's document is data: what publish and cleanup take from it is checked as if the CA said it (ACME-45b)" {
    local change
    lying_ca
    acme-preauth new -o t.json www.domain.com
    acme-preauth publish -q "${DNS[@]}" --no-dns-check -o /dev/null <t.json
    [ "$(cut -d' ' -f1 records)" = _acme-challenge.www.domain.com ]
    : >records
    # shellcheck disable=SC2016 # it is jq's
    for change in '.challenge.type = "-rf"' '.challenge.type = "http-01"' '.challenge.type = "new-99"' \
        '.challenge.token = "-rf"' '.challenge.token = "$(touch touched)touch-touch"' '.record.name = "evil.invalid"' \
        '.record.value = "v=spf1 -all"' '.record.value += "\n"' '.identifier.value = "-rf"' \
        '.identifier.value = "evil.invalid"' '.identifier.value += "\u0000evil"' '.identifier.value = "127.0.0.1\u0000evil"' \
        '.challenge.keyAuthorization += "\nupdate"' '.challenge.keyAuthorization = .challenge.token + ".x"' \
        '.status = "\u001b[2J"' '.url = "\u001b[2J"'; do
        jq "$change" t.json >changed.json
        run acme-preauth publish --json "${DNS[@]}" --no-dns-check <changed.json
        echo "$change $output"
        [ "$status" = 65 ]
        [[ "$output" != *$'\e'* ]]
        run acme-preauth cleanup --json --webroot web <changed.json
        [ "$status" = 65 ] || [ "$change" = '.challenge.type = "http-01"' ]
        [[ "$change" == *http-01* ]] || { run acme-preauth publish --json --hook ./hook --no-dns-check <changed.json && [ "$status" = 65 ]; }
        untouched
    done
}

@test "SEC-15: est-relay compares what the CA names with the device's order, and with its domain (ACME-45a)" {
    PKI=$PWD/pki
    make_pki "$PKI"
    lying_ca authz=lie.json
    make_csr device0001.iot.domain.com dev.csr
    local lie preauthorize
    for lie in evil.invalid stranger.iot.domain.com domain.com; do
        for preauthorize in false true; do
            echo "$lie $preauthorize"
            identifier dns "$lie" >lie.json
            : >"$PKI/relay.log"
            rm -rf acct.json.d "$PKI"/*.db* "$PKI"/*.database
            ACCOUNT=$PWD/acct.json CA_ROOT=$PKI/tls-root.pem DNS_SERVER=${DNS[1]} TSIG_KEY=$PWD/tsig.key \
                RELAY_DOMAIN_LINES="preauthorize = $preauthorize" write_relay_toml "$PKI" 'wait = "1s"'
            start_relay "$PKI"
            est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
            # shellcheck disable=SC2153 # set by est
            [ "$STATUS" != 200 ]
            wait_for 20 grep -qE "(is for $lie instead of|wants proof for $lie,)" "$PKI/relay.log"
            kill "$RELAY_PID"
            wait "$RELAY_PID" || true
            untouched
        done
    done
    [ "$(jq -r .path requests.jsonl | grep -c challenge)" = 0 ]
}

@test "INT-09a, INT-09b, INT-10: finalize has the device's request octet for octet, challengePassword included, newOrder its names" {
    PKI=$PWD/pki
    make_pki "$PKI"
    echo '{"status": "ready"}' >order.json
    lying_ca order=order.json
    ACCOUNT=$PWD/acct.json CA_ROOT=$PKI/tls-root.pem DNS_SERVER=${DNS[1]} TSIG_KEY=$PWD/tsig.key \
        RELAY_DOMAIN_LINES="preauthorize = false" write_relay_toml "$PKI" 'wait = "1s"' 'pop = "off"'
    start_relay "$PKI"
    csr-build --key k --dns device0001.iot.domain.com --challenge-password-file <(echo YmluZGluZw==) --format der -o dev.der
    openssl req -in dev.der -inform DER -noout -text | grep -F YmluZGluZw==
    openssl base64 -in dev.der -out dev.csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
    wait_for 20 grep -qF '"path": "/finalize/1"' requests.jsonl
    jq -r 'select(.path == "/finalize/1") | .payload.csr' requests.jsonl | head -n 1 >sent
    cmp dev.der <(python3 -c 'import base64, sys; sys.stdout.buffer.write(base64.urlsafe_b64decode(sys.stdin.read().strip() + "=="))' <sent)
    jq -sc '[.[] | select(.path == "/order" and .method == "POST")][0].payload' requests.jsonl |
        jq -e '. == {identifiers: [{type: "dns", value: "device0001.iot.domain.com"}]}'
}
