#!/usr/bin/env bats
# The installed systemd units do their work as the users that systemd makes for them, with keys that only root may read.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup_file() {
    can_run_units || return 0
    cd "$BATS_FILE_TMPDIR" || return
    DESTDIR=$PWD/installed cmake --install "$BUILD" --prefix /usr/local >/dev/null
}

can_run_units() { [ "$EUID" = 0 ] && unshare -m --propagation private mount -t tmpfs tmpfs /mnt 2>/dev/null; }

setup() {
    can_run_units || skip "becoming another user and mounting need root"
    cd "$BATS_TEST_TMPDIR" || return
    mkdir -p dest/usr dest/var/lib dest/etc/acme-integrations
    ln -s "$BATS_FILE_TMPDIR/installed/usr/local" dest/usr/local
    cp -r dest/usr/local/lib/systemd/system units
    ETC=$PWD/dest/etc/acme-integrations
    # What the relays name: certificates and lists for everybody, secrets for root.
    PKI=$PWD/pki
    make_pki "$PKI"
    start_knot "$PWD/knot" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    ACCOUNT=acct.json
    cp "$CA_FILE" "$ETC/acme-ca.pem"
    acme-account register -q --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" --agree-tos --account "$ETC/acct.json" -o account.json
    sed -i "s|\"caFile\": *\"[^\"]*\"|\"caFile\": \"/etc/acme-integrations/acme-ca.pem\"|" "$ETC/acct.json"
    cp "$CA_ROOT" "$ETC/root.pem"
    cp "$TSIG_KEY" "$ETC/tsig.key"
    cp "$PKI"/{ra.pem,ra.key,maker.pem,devices.csv} "$ETC"
    TSIG_KEY=tsig.key CA_ROOT=root.pem
    chmod 600 "$ETC"/{acct.json,*.key}
    chmod 644 "$ETC"/{*.pem,devices.csv}
}

teardown() {
    stop_all
}

preauthorize() {
    acme-preauth run -q --subdomains --account "$ETC/acct.json" --ca-file "$CA_FILE" --dns-update "$DNS_SERVER" \
        --tsig-key "$ETC/tsig.key" -o authz.json domain.com
}

# run_unit UNIT: as systemd would.
run_unit() {
    "$ROOT/tests/lib/run-unit" "$PWD/dest" "units/$1"
}

# start_unit UNIT: the same for a service that stays; sets PID. What it says is in said and log.
start_unit() {
    : >said
    "$ROOT/tests/lib/run-unit" "$PWD/dest" "units/$1" >said 2>log 3>&- & # its process becomes the service
    PID=$!
    STARTED+=("$PID")
    wait_for 30 grep -q admin said || { cat log >&2 && return 1; }
}

# its_own USER: whose process PID is, and that it may nothing that others may not.
its_own() {
    grep -qE "^Uid:\s+$1\s+$1\s+$1\s+$1$" "/proc/$PID/status"
    grep -qE '^CapEff:\s+0+$' "/proc/$PID/status"
}

@test "FLD-U4: est-relay.service serves with account, TLS and TSIG key of root, and keeps relay.db in its state" {
    RELAY_DOMAIN=domain.com write_relay_toml "$ETC" 'retry_after = "1s"' '[store]' 'sqlite = "/var/lib/est-relay/relay.db"'
    sed -i '/^\[clients.basic\]/,/^file/d' "$ETC/relay.toml"
    chmod 644 "$ETC/relay.toml"
    start_unit est-relay.service
    its_own 61184
    est-enroll run --server "https://127.0.0.1:$RELAY_PORT" --explicit-ta "$PKI/tls-root.pem" --cert "$PKI/device0001.pem" \
        --key "$PKI/device0001.key" --new-key auto --key-out dev.key -o dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -F DNS:device0001.domain.com
    [ "$(stat -c '%u %a' dest/var/lib/est-relay/relay.db)" = "61184 600" ]
    [ ! -e "$ETC/relay.db" ]
    ! grep -E 'accessible to other users|chmod' log || return 1
    # What was loaded at the start serves a reload as well.
    kill -HUP "$PID"
    wait_for 20 grep -q reloaded log
    ! grep "not reloaded" log || return 1
    kill "$PID"
    wait "$PID"
    # Root administers the database by the same file.
    printf 'Type=oneshot\nUMask=0022\nExecStart=+/usr/local/bin/est-relay block --config /etc/acme-integrations/relay.toml device0001\n' >units/block.service
    run_unit block.service
    # A database elsewhere, as without [store], is an error that says where it can be.
    sed '/^\[store\]/,/^sqlite/d' "$ETC/relay.toml" >"$ETC/other.toml"
    chmod 644 "$ETC/other.toml"
    sed 's/relay\.toml/other.toml/' units/est-relay.service >units/other.service
    run run_unit other.service
    echo "$output"
    [ "$status" != 0 ]
    [[ $output == *"the service can write to /var/lib/est-relay: set sqlite in [store]"* ]]
    # Without credentials the service's user cannot read them.
    sed -i '/^LoadCredential=/d' units/est-relay.service
    run run_unit est-relay.service
    echo "$output"
    [ "$status" != 0 ]
    [[ $output == *"acct.json: cannot be opened: Permission denied"* ]]
}

@test "FLD-U4: teap-relay.service admits and enrols with secrets of root" {
    RELAY_DOMAIN=domain.com write_teap_toml "$ETC" '[store]' 'sqlite = "/var/lib/teap-relay/teap.db"'
    mv "$ETC/secret" "$ETC/switches.secret"
    sed -i 's/^secret_file = .*/secret_file = "switches.secret"/' "$ETC/teap.toml"
    chmod 644 "$ETC/teap.toml"
    start_unit teap-relay.service
    its_own 61184
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$ETC/switches.secret" --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/device0001.pem" --key "$PKI/device0001.key" --new-key ec:P-256 --key-out dev.key -o dev.pem
    openssl x509 -in dev.pem -noout -ext subjectAltName | grep -F DNS:device0001.domain.com
    [ "$(stat -c '%u %a' dest/var/lib/teap-relay/teap.db)" = "61184 600" ]
    ! grep -E 'accessible to other users|chmod' log || return 1
}

@test "FLD-U4: acme-preauth-renew.service renews an authorization, and does nothing while none is due" {
    printf 'DOMAINS=domain.com\nACMETOOL_DNS_UPDATE=%s\n' "$DNS_SERVER" >"$ETC/renew.env"
    run_unit acme-preauth-renew.service
    [ "$(requests newAuthz)" = 1 ]
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
    run_unit acme-preauth-renew.service
    [ "$(requests newAuthz)" = 1 ]
    rm "$ETC/tsig.key"
    run run_unit acme-preauth-renew.service
    [ "$status" != 0 ]
}

# installed: the certificate in its place is good and everybody's to read.
installed() {
    openssl verify -CAfile "$ETC/root.pem" -untrusted "$ETC/certs/site.pem" "$ETC/certs/site.pem"
    [ "$(stat -c '%u %a' "$ETC/certs/site.pem")" = "0 644" ]
    [ "$(ls -A "$ETC/certs")" = site.pem ]
}

@test "FLD-U4: acme-order-renew.service installs a certificate, and root runs its deploy hook until it succeeds" {
    preauthorize
    printf 'ACMETOOL_DNS_UPDATE=%s\n' "$DNS_SERVER" >"$ETC/renew.env" # for the authorizations
    mkdir "$ETC/renew.d" "$ETC/deploy.d"
    csr-build --new-key ec:P-256 --key-out site.key --dns site.domain.com -o "$ETC/site.csr"
    chmod 644 "$ETC/site.csr"
    printf 'csr = "/etc/acme-integrations/site.csr"\noutput = "/var/lib/acme-order-renew/site.pem"\n' >"$ETC/renew.d/site.toml"
    printf '#!/bin/sh\nid -u >>/etc/acme-integrations/calls\necho "$ACMETOOL_CERT" >>/etc/acme-integrations/calls\n[ ! -e /etc/acme-integrations/broken ]\n' >"$ETC/deploy.d/site"
    chmod +x "$ETC/deploy.d/site"
    run_unit acme-order-renew.service
    [ "$(requests newOrder)" = 1 ]
    installed
    local call="0 /etc/acme-integrations/certs/site.pem"
    [ "$(xargs <"$ETC/calls")" = "$call" ]
    # Nothing due: nothing is asked, nothing is called.
    run_unit acme-order-renew.service
    [ "$(requests newOrder)" = 1 ]
    [ "$(xargs <"$ETC/calls")" = "$call" ]

    # A hook that fails is a failure of the unit, and is called again. So is one beside a renewal that fails.
    touch "$ETC/broken"
    cp "$ETC/certs/site.pem" first.pem
    printf 'before = "4000d"\n' >>"$ETC/renew.d/site.toml"
    run run_unit acme-order-renew.service
    [ "$status" = 78 ]
    [[ $output == *"/etc/acme-integrations/certs/site.pem is not deployed"* ]]
    ! cmp -s first.pem "$ETC/certs/site.pem" || return 1
    [ "$(xargs <"$ETC/calls")" = "$call $call" ]
    rm "$ETC/broken"
    sed -i '/^before/d' "$ETC/renew.d/site.toml"
    printf 'csr = "/etc/acme-integrations/none.csr"\noutput = "/var/lib/acme-order-renew/none.pem"\n' >"$ETC/renew.d/none.toml"
    run run_unit acme-order-renew.service
    echo "$output"
    [ "$status" != 0 ]
    [ "$(xargs <"$ETC/calls")" = "$call $call $call" ]
    installed
    rm "$ETC/renew.d/none.toml"

    # The service's user cannot have root copy another file, nor a key, nor wait.
    echo secret >"$ETC/shadow"
    ln -s /etc/acme-integrations/shadow dest/var/lib/acme-order-renew/link.pem
    openssl genpkey -algorithm ed25519 -out dest/var/lib/acme-order-renew/key.pem
    cat first.pem dest/var/lib/acme-order-renew/key.pem >dest/var/lib/acme-order-renew/both.pem
    mkfifo dest/var/lib/acme-order-renew/pipe.pem
    run run_unit acme-order-renew.service
    [ "$status" = 78 ]
    [[ $output == *both.pem*key.pem*link.pem*pipe.pem* ]]
    installed
}
