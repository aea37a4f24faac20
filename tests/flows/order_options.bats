#!/usr/bin/env bats
# What an order can ask for beside its names: a profile, times, a chain; and names of other kinds.

load ../lib/common
load ../lib/dns
load ../lib/ca
load ../lib/pebble

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    HTTP_PORT=$(free_port)
    TLS_PORT=$(free_port)
}

teardown() {
    stop_all
}

begin() { # CA OPTION...
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --http-port "$HTTP_PORT" --tls-port "$TLS_PORT" --allow-loopback \
        --fault preauthorized=1 "$@"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    csr-build --new-key ec:P-256 --key-out k --dns a.domain.com -o c.csr
}

days_left() { # CERTIFICATE: rounded up
    echo $((($(date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s) - $(date +%s) + 86399) / 86400))
}

@test "EXT-05a, EXT-05b, EXT-05c: a profile by its name; one that the CA has not is refused before any order, with those it has" {
    begin --profile classic=90d --profile short=6d:serverAuth
    acme-order run --profile short -o c.pem <c.csr
    [ "$(days_left c.pem)" = 6 ]
    acme-order run -o d.pem <c.csr
    [ "$(days_left d.pem)" = 90 ]
    local orders
    orders=$(requests newOrder)
    run acme-order run --json --profile long <c.csr
    [ "$status" = 65 ]
    [[ "$output" == *invalidProfile* && "$output" == *"it offers classic ("*"), short ("*")"* ]]
    [ "$(requests newOrder)" = "$orders" ]
}

@test "ACME-20d: notBefore and notAfter, as times and as durations; times that cannot be are usage" {
    begin
    local later
    later=$(date -u -d '+2 days' +%FT%TZ)
    acme-order new --not-after "$later" -o o.json <c.csr
    [ "$(jq -r .notAfter o.json)" = "$later" ]
    acme-order run --not-before 1h --not-after 3d -o c.pem <c.csr
    [ "$(days_left c.pem)" = 3 ]
    [ "$(date -d "$(openssl x509 -in c.pem -noout -startdate | cut -d= -f2)" +%s)" -gt "$(date +%s)" ]
    # The next one is another order, even with the same request.
    acme-order finalize -o o2.json <o.json
    acme-order download -o o.pem <o2.json
    acme-order new --not-after "$later" -o again.json <c.csr
    [ "$(jq -r .status again.json)" = ready ]
    [ "$(jq -r .url again.json)" != "$(jq -r .url o.json)" ]
    local times
    for times in tomorrow 2020-01-01T00:00:00Z 7; do
        run acme-order run --json --not-after "$times" <c.csr
        [ "$status" = 64 ]
        [[ "$output" == *badTime* ]]
    done
    run acme-order run --json --not-before 2d --not-after 1d <c.csr
    [ "$status" = 64 ]
}

@test "ACME-35a, ACME-35b: the chain under the issuer of that name, or with that certificate; none such is a warning" {
    begin
    local alternate="acme-integrations LAB Alternate Root" fingerprint
    acme-order run -o first.pem <c.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted first.pem first.pem
    [ "$(requests certificate)" = 1 ]
    acme-order run --preferred-chain "$alternate" -o second.pem <c.csr
    openssl verify -CAfile ca/root-alternate.pem -untrusted second.pem second.pem
    ! openssl verify -CAfile "$CA_ROOT" -untrusted second.pem second.pem || return 1
    csplit -z -f part second.pem '/-----BEGIN/' '{*}' >/dev/null
    fingerprint=$(openssl x509 -in part01 -noout -fingerprint -sha256 | cut -d= -f2)
    acme-order new -o o1.json <c.csr
    acme-order finalize -o o2.json <o1.json
    acme-order download --preferred-chain "$fingerprint" -o third.pem <o2.json
    openssl verify -CAfile ca/root-alternate.pem -untrusted third.pem third.pem
    # The chain that comes first is not fetched twice.
    local before
    before=$(requests certificate)
    acme-order run --preferred-chain "$(openssl x509 -in ca/intermediate.pem -noout -fingerprint -sha256 | cut -d= -f2 |
        tr -d : | tr A-F a-f)" -o fourth.pem <c.csr
    [ "$(requests certificate)" = "$((before + 1))" ]
    acme-order run --preferred-chain "No Such Root" -o fifth.pem <c.csr 2>warning
    openssl verify -CAfile "$CA_ROOT" -untrusted fifth.pem fifth.pem
    grep "warning: none of the CA's 2 chains" warning
    set_fault noAlternate=1
    acme-order run --preferred-chain "$alternate" -o sixth.pem <c.csr 2>warning
    grep "warning: none of the CA's 1 chains" warning
    openssl verify -CAfile "$CA_ROOT" -untrusted sixth.pem sixth.pem
}

@test "ACME-35a: an alternate chain that is missing or wrong is left out: the certificate comes with the first" {
    begin
    local form
    for form in noalternate:malformed wrongalternate:key; do
        set_fault "certificate=${form%:*}"
        acme-order run --preferred-chain "acme-integrations LAB Alternate Root" -o "${form%:*}.pem" <c.csr 2>warning
        cat warning
        openssl verify -CAfile "$CA_ROOT" -untrusted "${form%:*}.pem" "${form%:*}.pem"
        grep "warning: the chain https://.*/alternate is left out: .*${form#*:}" warning
        grep "warning: none of the CA's 2 chains" warning
    done
    [ "$(requests newOrder)" = 2 ]
    [ "$(requests finalize)" = 2 ]
}

@test "ACME-35a, ACME-42d: killed while alternate chains are fetched: the next run has the certificate, and chooses among them" {
    begin
    set_fault slow=certificate:2
    acme-order run -q --preferred-chain "acme-integrations LAB Alternate Root" -o c.pem <c.csr &
    local pid=$!
    wait_for 20 eval '[ "$(requests certificate)" = 1 ]'
    sleep 0.5
    kill -9 "$pid"
    wait "$pid" || true
    [ ! -e c.pem ]
    acme-order list --json | jq -e '.entries[0].wrong == "its certificate was not written"'
    set_fault slow=off
    set_fault notFound=order
    acme-order run -q --preferred-chain "acme-integrations LAB Alternate Root" -o c.pem <c.csr
    openssl verify -CAfile ca/root-alternate.pem -untrusted c.pem c.pem
    [ "$(requests newOrder)" = 1 ]
}

@test "ACME-35a: renew keeps to the preferred chain" {
    begin
    acme-order renew --csr c.csr --preferred-chain "acme-integrations LAB Alternate Root" -o c.pem
    openssl verify -CAfile ca/root-alternate.pem -untrusted c.pem c.pem
}

@test "CHAL-10a: addresses of both families, with a name, by http-01 and tls-alpn-01" {
    begin
    set_fault preauthorized=off
    csr-build --new-key ec:P-256 --key-out k4 --ip 127.0.0.1 --dns b.domain.com |
        acme-order run --standalone http --standalone-listen "$HTTP_PORT" -o four.pem
    openssl x509 -in four.pem -noout -ext subjectAltName | grep 'IP Address:127.0.0.1'
    csr-build --new-key ec:P-256 --key-out k5 --ip 127.0.0.1 |
        acme-order run --standalone tls-alpn --standalone-listen "127.0.0.1:$TLS_PORT" -o alpn.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted alpn.pem alpn.pem
    if [ ! -e /proc/net/if_inet6 ] || ! grep -q '^0\{31\}1 ' /proc/net/if_inet6; then skip "no ::1 on this host"; fi
    csr-build --new-key ec:P-256 --key-out k6 --ip 0:0:0:0:0:0:0:1 |
        acme-order run --standalone http --standalone-listen "[::1]:$HTTP_PORT" -o six.pem
    openssl x509 -in six.pem -noout -ext subjectAltName | grep 'IP Address:0:0:0:0:0:0:0:1'
}

@test "CHAL-10c: a wildcard is offered dns-01 only: a standalone solver says so" {
    begin
    set_fault preauthorized=off
    csr-build --new-key ec:P-256 --key-out w --allow-wildcard --dns '*.domain.com' -o w.csr
    run acme-order run --json --standalone http --standalone-listen "$HTTP_PORT" <w.csr
    [ "$status" = 79 ]
    [[ "$output" == *noUsableChallenge* && "$output" == *dns-01* ]]
    acme-order run --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o w.pem <w.csr
    openssl x509 -in w.pem -noout -ext subjectAltName | grep -F '*.domain.com'
}

@test "ACME-35a, CHAL-10a: Pebble's alternate chains, and a certificate for an address" {
    PEBBLE_PORT=$HTTP_PORT start_pebble "$PWD/pebble" PEBBLE_ALTERNATE_ROOTS=2 PEBBLE_CHAIN_LENGTH=2
    acme-account register -q --directory "$PEBBLE_DIRECTORY" --ca-file "$PEBBLE_CA" --agree-tos \
        --contact mailto:ops@example.org -o account.json
    local i name
    for i in 0 1 2; do
        curl -sf --cacert "$PEBBLE_CA" "$PEBBLE_MANAGEMENT/roots/$i" >"root$i.pem"
        name=$(openssl x509 -in "root$i.pem" -noout -subject -nameopt multiline | sed -n 's/ *commonName *= //p')
        csr-build --new-key ec:P-256 --key-out "k$i" --ip 127.0.0.1 |
            acme-order run --standalone http --standalone-listen "$HTTP_PORT" --preferred-chain "$name" -o "c$i.pem"
        openssl verify -CAfile "root$i.pem" -untrusted "c$i.pem" "c$i.pem"
        openssl x509 -in "c$i.pem" -noout -ext subjectAltName | grep 'IP Address:127.0.0.1'
    done
}
