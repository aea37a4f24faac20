# Sourced by tests/readme: what the reader of a page has, or did elsewhere, when the page or one of its sections begins.
# shellcheck shell=bash

# given "PAGE:", given "PAGE: HEADING"
given() {
    case $1 in
    "README.md: EST for devices") have_devices ;;
    "README.md: Enrolling a device by TEAP")
        have_secret switches.secret
        stop_last # one of both relays at a time has the database
        ;;
    "README.md: From cron and systemd")
        mkdir -p /etc/acme /etc/acme-integrations/renew.d
        # shellcheck disable=SC2016 # the hook expands it
        printf '#!/bin/sh\nexec openssl x509 -in "$ACMETOOL_CERT" -noout\n' >/etc/acme/reload
        chmod +x /etc/acme/reload
        cp "$ROOT/examples/cron/renew.d/site.toml" /etc/acme-integrations/renew.d
        csr-build --new-key ec:P-256 --key-out /etc/acme-integrations/site.key --dns site.domain.com -o site.csr
        ;;
    "docs/howto/cron.md:")
        mkdir -p /etc/acme-integrations /var/lib/node_exporter
        mv tsig.key /etc/acme-integrations
        ;;
    "docs/howto/ci.md:" | "docs/howto/public-cas.md:") ln -s "$ROOT/examples" examples ;;
    "docs/howto/est-devices.md:")
        have_devices
        have_account
        echo s3cret >password
        ;;
    "docs/howto/brski-lab.md:")
        have_account
        make_pki "$GIVEN"
        make_registrar_tls "$GIVEN"
        cp "$GIVEN"/{ra.pem,ra.key} .
        cp "$GIVEN/tls-root.pem" ra-root.pem
        cp "$CA_ROOT" root.pem
        ;;
    "docs/howto/dot1x.md:")
        have_devices
        have_account
        # The two secrets are as the examples have them: the page tells to replace them.
        (umask 077 && echo replace-with-secret-of-the-relay >proxy.secret && echo replace-with-secret-of-the-switches >switches.secret)
        ln -s "$ROOT/examples" examples
        install -d -o freerad -g freerad /run/freeradius
        ip link add port1 type veth peer name dev1 # a port of the switch, and the device at its other end
        ip link set port1 up
        ip link set dev1 up
        ;;
    "docs/howto/two-relays.md:")
        have_devices
        have_account
        GIVEN_PG=$(mktemp -d /tmp/pg.XXXX) # the server has a user of its own, who comes into no folder of ours
        chmod 755 "$GIVEN_PG"
        init_postgres "$GIVEN_PG"
        start_postgres "$GIVEN_PG"
        export PGHOST=$GIVEN_PG PGPORT=$PG_PORT PGUSER=relay PGDATABASE=postgres
        ;;
    "docs/howto/two-relays.md: When one is gone") stop_relay relay1 ;;
    "docs/howto/moving.md:") have_old_clients ;;
    esac
}

# given_ends: what given started.
given_ends() {
    [[ -n ${GIVEN_PG:-} ]] || return 0
    stop_postgres "$GIVEN_PG" immediate || true
    rm -rf "$GIVEN_PG"
}

# have_devices: a relay's certificate, a manufacturer with the device idevid, the inventory, and the roots.
have_devices() {
    make_pki "$GIVEN"
    make_idevid "$GIVEN" idevid
    make_tls_for ra.example
    cp "$GIVEN/maker.pem" manufacturer.pem
    cp "$GIVEN"/{ra.pem,ra.key,idevid.pem,idevid.key} .
    cp "$GIVEN/tls-root.pem" boot.pem
    cp boot.pem ra-root.pem
    cp "$CA_ROOT" root.pem
    echo idevid >devices.csv
}

have_account() {
    acme-account register --directory https://ca.example/directory --agree-tos -o account.json
}

# have_old_clients: an account and a certificate of lego's, and two hooks of certbot's.
have_old_clients() {
    local secret
    IFS=: read -r _ _ secret <tsig.key
    RFC2136_NAMESERVER=127.0.0.1:53 RFC2136_TSIG_ALGORITHM=hmac-sha256. RFC2136_TSIG_KEY=acme.key RFC2136_TSIG_SECRET=$secret \
        RFC2136_POLLING_INTERVAL=1 RFC2136_SEQUENCE_INTERVAL=1 \
        lego --accept-tos --email ops@domain.com --server https://ca.example/directory --dns rfc2136 \
        --domains www.domain.com run >"$GIVEN/lego" 2>&1 || { cat "$GIVEN/lego" && exit 1; }
    cat >auth.sh <<'END'
#!/bin/sh
knsupdate -k tsig.key <<UPDATE
server 127.0.0.1
zone domain.com
${CERTBOT_OPERATION:-add} _acme-challenge.$CERTBOT_DOMAIN 60 TXT "$CERTBOT_VALIDATION"
send
UPDATE
END
    printf '#!/bin/sh\nCERTBOT_OPERATION=del exec ./auth.sh\n' >cleanup.sh
    chmod +x auth.sh cleanup.sh
}

have_secret() {
    (umask 077 && openssl rand -base64 24 >"$1")
}

# make_tls_for NAME: ra.pem with this name besides localhost.
make_tls_for() {
    echo "subjectAltName=DNS:$1,DNS:localhost,IP:192.0.2.1" >"$GIVEN/names"
    openssl req -new -key "$GIVEN/ra.key" -subj "/CN=$1" |
        openssl x509 -req -CA "$GIVEN/tls-root.pem" -CAkey "$GIVEN/tls-root.key" -days 30 -out "$GIVEN/ra.pem" \
            -extfile "$GIVEN/names" 2>/dev/null
}

stop_last() {
    kill "${STARTED[-1]}"
    wait "${STARTED[-1]}"
}

# stop_relay INSTANCE: the one that was started with that configuration.
stop_relay() {
    local pid
    for pid in "${STARTED[@]}"; do
        ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q " --config $1.toml" || kill -9 "$pid"
    done
}
