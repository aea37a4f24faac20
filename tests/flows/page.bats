#!/usr/bin/env bats
# The page of a relay: what it shows, to whom, and that nothing of a peer's becomes part of it.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/processes
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
}

teardown() {
    stop_all
}

relay() { # a CA, and a relay in front of it
    make_pki "$PKI"
    start_authority
    write_relay_toml "$PKI" 'wait = "200ms"' 'retry_after = "1s"'
    start_relay "$PKI"
}

local_relay() { # a relay with a program as its issuer
    make_pki "$PKI"
    make_issuer "$PKI"
    export RELAY_DOMAIN=domain.com
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
}

# page TARGET [CURL OPTION...]: STATUS, page.html, page.headers; TEXT, what a reader sees, in one line. It is well-formed, has no
# script, style or handler in it, and asks for nothing elsewhere.
page() {
    local target=$1
    shift
    STATUS=$(curl -s --max-time 20 -o page.html -D page.headers -w '%{http_code}' "$@" "${PAGES:-$RELAY_ADMIN}$target")
    grep -qi '^content-type: text/html; charset=utf-8' page.headers || return
    python3 "$ROOT/tests/lib/check_page.py" page.html >text
    clean page.html
    TEXT=$(tr -s ' \n' ' ' <text)
    echo "$STATUS $TEXT"
}

enrolled() { # DEVICE NAME
    [[ -e $1.csr ]] || make_csr "$2" "$1.csr"
    enrol "$1" simpleenroll "$1.csr"
    [ "$STATUS" = 200 ]
}

order_fails() { # of device0001, at the CA
    set_fault problem=finalize:badCSR
    make_csr device0001.iot.domain.com dev.csr
    for _ in $(seq 30); do
        est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @dev.csr
        [[ $STATUS == 202 ]] || break
        sleep 0.5
    done
}

@test "OPR-30, OPR-32: overview, devices and a device with the ladder of its request" {
    relay
    enrolled device0001 device0001.iot.domain.com
    make_csr stranger9999.iot.domain.com stranger.csr
    est stranger9999 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @stranger.csr
    [ "$STATUS" = 403 ]
    page /
    [ "$STATUS" = 200 ]
    [[ $TEXT == *"Well."*"0 pending"*"0 failed"*"1 issued"*"0 expiring"* ]]
    [[ $TEXT == *"1 forbidden"*" 1 forbidden stranger9999 device stranger9999 is not in the inventory"* ]]
    [[ $TEXT == *"iot.domain.com valid "*" left"*"TLS certificate CN=localhost"*" left"*"CA CN="* ]]
    # The bars say in words what they show.
    grep -qE '<meter [^>]*aria-label="iot.domain.com: [0-9]+ (d|h|min) [^"]*left"' page.html
    local name
    for name in "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" \
        "cache-control: no-store" "x-content-type-options: nosniff" "referrer-policy: no-referrer"; do
        tr -d '\r' <page.headers | grep -qixF "$name"
    done
    run ! grep -qiE '<script|<style|<iframe|<object| on[a-z]+=| style=|javascript:' page.html
    curl -sfD css.headers "$RELAY_ADMIN/style.css" | grep -q prefers-color-scheme
    grep -qi '^content-type: text/css' css.headers
    # From the overview to the refusal, its device, and the ladder.
    local link
    link=$(grep -oE '/request\?id=[0-9a-f]+' page.html | head -n 1)
    page "$link"
    [[ $STATUS == 200 && $TEXT == *"Refused (forbidden):"*"not in the inventory"*"The same as text +--------+ +----+ | Client | | RA |"*"POST /simpleenroll"*"403 forbidden"* ]]
    page /devices
    [[ $TEXT == *"device0001 issued 20"*"device0001.iot.domain.com"* ]]
    link=$(grep -oE '/device\?id=device0001%40[0-9a-f]+' page.html)
    page "$link"
    [[ $STATUS == 200 && $TEXT == *"the device has a certificate until 20"*"listed in"*"Order issued"*"Serial number"* ]]
    [[ $TEXT == *"POST /simpleenroll"*"POST /newOrder"* ]]
    link=$(grep -oE '/ladder.svg\?request=[0-9a-f]+' page.html)
    curl -sfD svg.headers -o ladder.svg "$RELAY_ADMIN$link"
    grep -qi '^content-type: image/svg+xml' svg.headers
    python3 -c 'import xml.dom.minidom as dom; dom.parse("ladder.svg")'
    grep -q 'POST /newOrder' ladder.svg
    # The policy of the drawing names its style sheet, and nothing else.
    local digest
    digest=$(python3 -c 'import base64, hashlib, re
print(base64.b64encode(hashlib.sha256(re.search("<style>(.*?)</style>", open("ladder.svg").read(), re.S)[1].encode()).digest()).decode())')
    tr -d '\r' <svg.headers | grep -qF "style-src 'sha256-$digest'"
    # What a person types.
    local word
    for word in device0001 DEVICE0001.iot.domain.com "$(grep -oE '<dd><a href="/request\?id=[0-9a-f]+' page.html | grep -oE '[0-9a-f]+$')"; do
        page "/device?id=$word"
        [[ $STATUS == 200 && $TEXT == *"Device device0001"* ]]
    done
    page "/device?id=nobody"
    [[ $STATUS == 404 && $TEXT == *"nobody: never seen; not in the inventory"*"add it as a line"* ]]
    page "/devices?state=lost"
    [ "$STATUS" = 404 ]
    [ "$(curl -s -o no.svg -w '%{http_code}' "$RELAY_ADMIN/ladder.svg?request=0123456789abcdef")" = 404 ]
    [ "$(curl -s -o no -w '%{http_code}' "$RELAY_ADMIN/wp-admin")" = 404 ]
    [ "$(curl -s -o no -w '%{http_code}' -X POST "$RELAY_ADMIN/")" = 405 ]
}

@test "OPR-32: a device's page has what happened to it, also before this run of the relay" {
    relay
    enrolled device0001 device0001.iot.domain.com
    make_csr other.iot.domain.com other.csr
    est device0001 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @other.csr
    [ "$STATUS" = 403 ]
    happened() {
        page "/device?id=device0001"
        [[ $TEXT == *"What happened"*"decision refused: badIdentity"*"decision issued"* ]]
    }
    wait_for 20 happened
    ends 0 "$RELAY_PID"
    start_relay "$PKI"
    happened
    [[ $TEXT == *"No messages are remembered"* ]]
    # A request of then: what happened is known, its messages are not.
    page "$(grep -oE '/request\?id=[0-9a-f]+' page.html | head -n 1)"
    [[ $STATUS == 200 && $TEXT == *"What happened"*"decision"*"No messages are remembered"* ]]
    page "/request?id=0123456789abcdef"
    [ "$STATUS" = 404 ]
}

@test "OPR-30: the first line of the page is the worst that is known" {
    relay
    order_fails
    page /
    [[ $TEXT == *"the last order failed at 20"*"badCSR"*" next: \`est-relay devices --state failed\` lists"* && $TEXT != *"Well."* ]]
    [[ $TEXT == *"1 failed"*"badCSR"* ]]
    page "/devices?state=failed"
    [[ $TEXT == *"device0001 failed 20"*"badCSR"* ]]
    page "/device?id=device0001"
    [[ $TEXT == *"est-relay retry device0001"*"Order failed"*"badCSR"*"next try"* ]]
}

@test "OPR-16: status and the first page say the same, each thing with its next step and in the same order" {
    RELAY_CLOCK=+90s relay
    order_fails
    # Of its two months, the relay's certificate has ten days.
    at_clock -50d openssl req -x509 -key "$PKI/ra.key" -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -days 60 -out "$PKI/ra.pem"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$PKI/relay.log"
    at_clock +90s est-relay status --config "$PKI/relay.toml" --json >status.json
    jq -r '.troubles[].text' status.json >said
    [ "$(wc -l <said)" -ge 3 ]
    grep -q "^the relay's own certificate ends at 20" said
    grep -qE '^the clock of this host was [89][0-9] s ahead of that of the CA' said
    grep -q '^the last order failed at 20' said
    page /
    local all
    all=$(jq -r '[.troubles[] | .text + " next: " + .next] | join(" ")' status.json | tr -s ' \n' ' ')
    [[ $TEXT == *"${all% }"* && $TEXT != *"Well."* ]]
    at_clock +90s est-relay status --config "$PKI/relay.toml" >text
    [[ "$(tr -s ' \n' ' ' <text)" == "${all% }"* ]]
}

# many_devices: d1 to d120, with an order each, of which the last ten failed.
many_devices() {
    sqlite "$PKI/relay.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
        INSERT INTO orders (id, state, device, device_serial, label, domain, profile, renewal, identifiers, csr, url, unsure,
            request_id, created, until, certificate, why, words)
        SELECT 'order' || i, 2 + (i > 110), 'd' || i || '@ab', 'd' || i, '', 'domain.com', '', 0, 'dns:d' || i || '.domain.com', x'',
            '', 0, 'r' || i, strftime('%s') - i / 7, strftime('%s') + 4000000, '', 0, '' FROM n"
}

@test "OPR-32: the list of devices has pages, and each device is on one of them" {
    only_sqlite
    local_relay
    start_relay "$PKI"
    many_devices
    local target=/devices pages=0 link
    : >seen
    while [[ -n $target ]]; do
        page "$target"
        [ "$STATUS" = 200 ]
        grep -oE '/device\?id=d[0-9]+' page.html >>seen
        pages=$((pages + 1))
        link=$(grep -oE '<a href="[^"]*">Older ones' page.html) || link=
        target=$(sed -nE 's/<a href="([^"]*)".*/\1/p' <<<"$link" | sed 's/&amp;/\&/g')
    done
    [ "$pages" = 3 ]
    [ "$(sort seen | uniq -d | wc -l)" = 0 ]
    [ "$(sort -u seen | wc -l)" = 120 ]
    [[ $TEXT == *"The newest"* && $TEXT != *"Older ones"* ]]
    page "/devices?state=failed"
    [ "$(grep -cE '/device\?id=d11[1-9]|/device\?id=d120' page.html)" = 10 ]
    [[ $TEXT != *"Older ones"* ]]
    page "/devices?after=x"
    [ "$STATUS" = 404 ]
}

@test "OPR-22: a search for the beginning of a serial number finds all devices that have it" {
    only_sqlite
    local_relay
    start_relay "$PKI"
    many_devices
    local text
    page "/device?id=d11"
    [[ $STATUS == 200 && $TEXT == *"d11@ab"* && $TEXT != *"d110@ab"* ]] # it is one itself
    page "/device?id=d10"
    [[ $STATUS == 200 && $TEXT != *"Serial numbers that begin so"* ]]
    sqlite "$PKI/relay.db" "DELETE FROM orders WHERE device_serial = 'd11'"
    page "/device?id=d11"
    [[ $STATUS == 200 && $TEXT == *"Serial numbers that begin so"*"d110 d110@ab d111 d111@ab"*"d119 d119@ab"* ]]
    [ "$(grep -oE '/device\?id=d[0-9]+%40ab' page.html | sort -u | wc -l)" = 10 ]
    page "/device?id=d"
    [[ $STATUS == 200 && $TEXT == *"There are more: search for a longer beginning."* ]]
    [ "$(grep -oE '/device\?id=d[0-9]+%40ab' page.html | sort -u | wc -l)" = 50 ]
    # Nothing in it is a pattern, and nothing begins like the identifiers of the relay's own orders.
    for text in '' % _ 'd%25' 'D11' relay zz '%FF'; do
        page "/device?id=$text"
        [ "$STATUS" = 404 ]
    done
    # The index answers it.
    sqlite "$PKI/relay.db" "EXPLAIN QUERY PLAN SELECT DISTINCT device FROM orders WHERE device >= 'd11' AND device < 'd12'
        ORDER BY device LIMIT 51" | grep -q 'SEARCH orders USING COVERING INDEX orders_device'
}

@test "OPR-22: a search for the beginning of a serial number finds devices that enrolled, on either database" {
    local_relay
    local serial
    for serial in SN-1 SN-10 SN-11 SO-1; do
        make_idevid "$PKI" "$serial"
        echo "$serial" >>"$PKI/devices.csv"
    done
    start_relay "$PKI"
    for serial in SN-1 SN-10 SN-11 SO-1; do
        make_csr "${serial,,}.domain.com" csr
        enrol "$serial" simpleenroll csr
        [ "$STATUS" = 200 ]
    done
    page "/device?id=SN-"
    [[ $STATUS == 200 && $TEXT == *"Serial numbers that begin so"* && $TEXT != *SO-1* ]]
    [ "$(grep -oE '/device\?id=SN-[0-9]+' page.html | sort -u | wc -l)" = 3 ]
    page "/device?id=SN-1"
    [[ $STATUS == 200 && $TEXT != *"Serial numbers that begin so"* ]] # it is one itself
    page "/device?id=SP"
    [ "$STATUS" = 404 ]
}

@test "OPR-31: what devices wrote is text in every page and drawing" {
    local_relay
    local serial="<b>&\"'x</b>" enc subject='/O=Maker/CN=<b>&"'"'x<\\/b>"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/odd.key" -subj "$subject" 2>/dev/null |
        openssl x509 -req -CA "$PKI/maker.pem" -CAkey "$PKI/maker.key" -days 30 -out "$PKI/odd.pem" 2>/dev/null
    sed -i 's/^inventory.*/accept_any = true/; s/^trust = .*//' "$PKI/relay.toml"
    cat >>"$PKI/relay.toml" <<'END'
[clients.idevid.odd]
trust = ["maker.pem"]
serial_from = ["commonName"]
[label.""]
san = "random"
END
    start_relay "$PKI"
    openssl ecparam -genkey -name prime256v1 -noout -out odd.key
    openssl req -new -key odd.key -subj '/CN=<script>alert(1)<\/script>' -outform DER 2>/dev/null | openssl base64 >odd.csr
    est odd simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @odd.csr
    [[ $STATUS == 4* ]]
    est odd "%3Cimg%20src=x%3E/simpleenroll" -H 'Content-Type: application/pkcs10' --data-binary @odd.csr
    local target seen=0
    page /
    for target in / "/devices" $(grep -oE '/(device|request|devices)\?[a-z]+=[^"]+' page.html | sort -u); do
        page "$target"
        run ! grep -qE '<b>|<script|<img src=x|alert\(1\)</' page.html
        seen=$((seen + 1))
    done
    [ "$seen" -ge 4 ]
    enc=$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1]))' "$serial")
    page "/device?id=$enc"
    [[ $TEXT == *"<b>&\"'x</b>"* ]]
    run ! grep -q '<b>' page.html
    page "/device?id=%3Cscript%3Ealert(1)%3C/script%3E%1b%5b31m"
    [[ $STATUS == 404 && $TEXT == *"<script>alert(1)</script>?[31m"* ]]
    for target in $(curl -s "$RELAY_ADMIN/" | grep -oE '/request\?id=[0-9a-f]+'); do
        curl -s -o odd.svg "$RELAY_ADMIN/ladder.svg?request=${target#*=}"
        python3 -c 'import xml.dom.minidom as dom; dom.parse("odd.svg")'
        run ! grep -qE '<b>|<script' odd.svg
    done
}

@test "OPR-33: a page of another site cannot read this one under a name of its own" {
    local_relay
    start_relay "$PKI"
    local target
    for target in / /devices "/device?id=device0001"; do
        [ "$(curl -s -o no -w '%{http_code}' -H 'Host: evil.example' "$RELAY_ADMIN$target")" = 421 ]
        [ "$(curl -s -o no -w '%{http_code}' -H 'Host: 127.evil.example' "$RELAY_ADMIN$target")" = 421 ]
        [ "$(curl -s -o no -w '%{http_code}' -H "Host: localhost:$RELAY_ADMIN_PORT" "$RELAY_ADMIN$target")" != 421 ]
    done
    [ "$(curl -s -H 'Host: probe.example' "$RELAY_ADMIN/healthz")" = ok ]
}

@test "OPR-33: other hosts get the page only by TLS, with a certificate or a token" {
    local_relay
    sed -i "s/^admin = .*/admin = \"0.0.0.0:$RELAY_ADMIN_PORT\"/" "$PKI/relay.toml"
    local verb
    for verb in check serve; do
        run --separate-stderr timeout 20 est-relay "$verb" --config "$PKI/relay.toml"
        [ "$status" = 78 ]
        [[ $stderr == *"relay.toml:"*"admin: plain HTTP is only for addresses of this host"* ]]
    done
    sed -i "s/^admin = .*/admin = \"127.0.0.1:$RELAY_ADMIN_PORT\"/" "$PKI/relay.toml"
    local port token
    port=$(free_port)
    token=$(openssl rand -hex 32)
    printf '[admin]\nlisten = "0.0.0.0:%s"\n' "$port" >>"$PKI/relay.toml"
    run --separate-stderr est-relay check --config "$PKI/relay.toml"
    [[ $status == 78 && $stderr == *"listen: requires clients or token_file"* ]]
    # Operators with a CA of their own.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ops-ca.key -out "$PKI/ops-ca.pem" \
        -subj "/CN=Operators" -days 30 2>/dev/null
    printf 'extendedKeyUsage=clientAuth\n' >client.extensions
    printf 'extendedKeyUsage=serverAuth\n' >server.extensions
    local kind
    for kind in client server; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$kind.key" -subj "/CN=$kind" 2>/dev/null |
            openssl x509 -req -CA "$PKI/ops-ca.pem" -CAkey ops-ca.key -days 3 -extfile "$kind.extensions" -out "$kind.pem" 2>/dev/null
    done
    (umask 077 && echo short >"$PKI/admin.token")
    printf 'clients = ["ops-ca.pem"]\ntoken_file = "admin.token"\n' >>"$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [[ $status == 78 && $output == *"admin: "*"the token has less than 32 characters"* ]]
    run timeout 20 est-relay serve --config "$PKI/relay.toml"
    [[ $status == 78 && $output == *"less than 32 characters"* ]]
    echo "$token" >"$PKI/admin.token"
    est-relay check --config "$PKI/relay.toml" | grep -q 'ok .*admin: CA of clients'
    start_relay "$PKI"
    ask() { # TARGET [CURL OPTION...]: prints the status; body in said
        local target=$1
        shift
        curl -s --max-time 20 --cacert "$PKI/tls-root.pem" -o said -D said.headers -w '%{http_code}' "$@" "https://127.0.0.1:$port$target"
    }
    local target
    for target in / /devices "/device?id=device0001" /metrics /status /style.css; do
        [ "$(ask "$target")" = 401 ]
        run ! grep -q device0001 said
        [ "$(ask "$target" --cert client.pem --key client.key)" = 200 ]
        [ "$(ask "$target" -H "Authorization: Bearer $token")" = 200 ]
        [ "$(ask "$target" -u "anybody:$token")" = 200 ]
        # Another token, a certificate of a device, one that is not for clients.
        [ "$(ask "$target" -H "Authorization: Bearer ${token}0")" = 401 ]
        [ "$(ask "$target" -u "$token:x")" = 401 ]
        [ "$(ask "$target" --cert "$PKI/device0001.pem" --key "$PKI/device0001.key")" = 401 ]
        [ "$(ask "$target" --cert server.pem --key server.key)" = 401 ]
    done
    grep -qi '^www-authenticate: Basic' said.headers
    # Probes have no secret, and learn one word.
    [ "$(ask /healthz)" = 200 ]
    [ "$(ask /readyz)" = 200 ]
    [ "$(cat said)" = ready ]
    # Plain HTTP is not spoken there, and the token counts as a secret.
    [ "$(curl -s --max-time 5 -o no -w '%{http_code}' "http://127.0.0.1:$port/healthz")" != 200 ]
    chmod 644 "$PKI/admin.token"
    est-relay check --config "$PKI/relay.toml" | grep -q 'warn .*admin: token_file'
    # A reload takes another token, and keeps the old one if it is no good.
    local other
    other=$(openssl rand -hex 32)
    echo x >"$PKI/admin.token"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q 'not reloaded' "$PKI/relay.log"
    [ "$(ask / -u "x:$token")" = 200 ]
    echo "$other" >"$PKI/admin.token"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q '"reloaded"' "$PKI/relay.log"
    [ "$(ask / -u "x:$token")" = 401 ]
    [ "$(ask / -u "x:$other")" = 200 ]
    run ! grep -q "$token" "$PKI/relay.log"
}

@test "OPR-34: health is told, and devices are served, while a page waits for a file" {
    local_relay
    start_relay "$PKI"
    rm "$PKI/devices.csv"
    mkfifo "$PKI/devices.csv" # nobody writes
    (curl -s --max-time 60 -o late "$RELAY_ADMIN/device?id=device0001" || true) 3>&- &
    STARTED+=("$!")
    sleep 0.5
    [ "$(curl -s --max-time 5 "$RELAY_ADMIN/healthz")" = ok ]
    curl -s --max-time 5 "$RELAY_ADMIN/readyz" | grep -qx ready
    curl -s --max-time 5 "$RELAY_ADMIN/metrics" | grep -qx 'acmetool_ready 1'
    make_csr device0001.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    ends 0 "$RELAY_PID"
}

@test "OPR-30: teap-relay has the same page; a device that was turned away at the switch is on it" {
    make_pki "$PKI"
    make_issuer "$PKI"
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    start_teap "$PKI"
    PAGES=$TEAP_ADMIN
    run peer stranger9999 --new-key ec:P-256 --key-out s.key -o s.pem
    [ "$status" != 0 ]
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file <(echo wrong) --ca-file "$PKI/tls-root.pem" --timeout 3s \
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --new-key ec:P-256 --key-out x.key -o x.pem || true
    page /
    [[ $STATUS == 200 && $TEXT == *"teap-relay on "*"stranger9999"* ]]
    [[ $TEXT == *"radius"*"wrong shared secret"* ]]
}

@test "OPR-30: Chromium shows every page in light, in dark and on a phone without a complaint, none wider than its screen or too faint" {
    relay
    enrolled device0001 device0001.iot.domain.com
    make_csr stranger9999.iot.domain.com stranger.csr
    est stranger9999 simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @stranger.csr
    page /
    local urls=("$RELAY_ADMIN/" "$RELAY_ADMIN/devices" "$RELAY_ADMIN/device?id=device0001" "$RELAY_ADMIN/device?id=nobody")
    urls+=("$RELAY_ADMIN$(grep -oE '/request\?id=[0-9a-f]+' page.html | head -n 1)")
    python3 "$ROOT/tests/lib/browser.py" shots "${urls[@]:0:3}" "${urls[4]}"
    # 404 is what the browser complains of; and a page with a script would be noticed.
    run python3 "$ROOT/tests/lib/browser.py" shots "${urls[3]}"
    [[ $status == 1 && $output == *404* ]]
}
