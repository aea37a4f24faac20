#!/usr/bin/env bats
# Debian's ACME clients get certificates from acme-ca.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    HTTP_PORT=$(free_port)
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --http-port "$HTTP_PORT" --allow-loopback
}

teardown() {
    stop_all
}

@test "lego: http-01" {
    LEGO_CA_CERTIFICATES=$CA_FILE lego --server "$CA_DIRECTORY" --accept-tos --email a@domain.com --path lego \
        --domains lego.domain.com --http --http.port "127.0.0.1:$HTTP_PORT" run
    openssl verify -CAfile "$CA_ROOT" -untrusted lego/certificates/lego.domain.com.crt lego/certificates/lego.domain.com.crt
}

@test "certbot: http-01, and revocation shows in the CRL" {
    REQUESTS_CA_BUNDLE=$CA_FILE certbot certonly --standalone --http-01-port "$HTTP_PORT" --server "$CA_DIRECTORY" \
        --agree-tos --register-unsafely-without-email --non-interactive --config-dir c --work-dir w --logs-dir l \
        -d certbot.domain.com
    local cert=c/live/certbot.domain.com/cert.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted c/live/certbot.domain.com/chain.pem "$cert"
    REQUESTS_CA_BUNDLE=$CA_FILE certbot revoke --server "$CA_DIRECTORY" --cert-path "$cert" --reason keycompromise \
        --non-interactive --no-delete-after-revoke --config-dir c --work-dir w --logs-dir l
    curl -sf --cacert "$CA_FILE" "${CA_DIRECTORY%/directory}/crl" | openssl crl -inform der -CAfile ca/intermediate.pem -text >crl.txt
    grep -i "$(openssl x509 -in "$cert" -noout -serial | cut -d= -f2)" crl.txt
    grep "Key Compromise" crl.txt
}

@test "uacme: dns-01 by a hook" {
    cat >hook.sh <<EOF
#!/bin/sh
[ "\$2" = dns-01 ] || exit 1
{ echo "server 127.0.0.1 ${DNS_SERVER##*:}"; echo "zone domain.com"
case "\$1" in begin) echo "add _acme-challenge.\$3 60 TXT \$5" ;; *) echo "del _acme-challenge.\$3 TXT \$5" ;; esac
echo send; } | knsupdate -k $TSIG_KEY
EOF
    chmod +x hook.sh
    export SSL_CERT_FILE=$CA_FILE
    # uacme of Debian uses GnuTLS and the system's bundle only: a copy of the bundle is laid over it for this run.
    if ! unshare -m true 2>/dev/null; then skip "uacme needs a mount namespace to trust the CA"; fi
    unshare -m sh -ec "mount --bind '$CA_FILE' /etc/ssl/certs/ca-certificates.crt
        uacme -v -y -a '$CA_DIRECTORY' -c u new
        uacme -v -y -a '$CA_DIRECTORY' -c u -h '$PWD/hook.sh' issue uacme.domain.com"
    openssl verify -CAfile "$CA_ROOT" -untrusted u/uacme.domain.com/cert.pem u/uacme.domain.com/cert.pem
}

@test "kill -9 of the CA keeps accounts, authorizations and certificates" {
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o a.json domain.com
    csr-build --new-key ec:P-256 --key-out k --dns k.domain.com -o k.csr
    acme-order new -q -o o.json <k.csr
    kill -9 "$CA_PID"
    wait "$CA_PID" || true
    CA_LISTEN=${CA_DIRECTORY#https://}
    CA_LISTEN=${CA_LISTEN%/directory} start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-order finalize -q -o o2.json <o.json
    acme-order download -q -o k.pem <o2.json
    openssl verify -CAfile "$CA_ROOT" -untrusted k.pem k.pem
    acme-ca list --dir ca | jq -e '.certificates | length == 1'
}

@test "kill -9 of the CA under load loses no certificate that a client has, and refusals among them change nothing" {
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q --account account.json
    acme-preauth run -q --subdomains --account account.json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o a.json domain.com
    local i serials jobs=()
    for i in $(seq 12); do
        csr-build --new-key ec:P-256 --key-out "k$i" --dns "n$i.domain.com" -o "n$i.csr"
        (while acme-order run -q --account account.json --state "s$i" -o "n$i.$RANDOM$RANDOM.pem" <"n$i.csr"; do :; done) 2>/dev/null 3>&- &
        jobs+=($!)
    done
    for i in 1 2; do
        csr-build --new-key ec:P-256 --key-out "bad$i" --dns "n$i.other.test" -o "bad$i.csr"
        (while kill -0 "$CA_PID"; do acme-order run -q --account account.json --state "b$i" <"bad$i.csr"; done) >/dev/null 2>&1 3>&- &
        jobs+=($!)
    done
    # shellcheck disable=SC2016 # the inner shell expands it
    wait_for 60 bash -c '(( $(find . -maxdepth 1 -name "n*.pem" | wc -l) > 24 ))'
    kill -9 "$CA_PID"
    wait "${jobs[@]}" || true
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-ca list --dir ca >list.json
    serials=0
    for i in n*.pem; do
        grep -qi "$(openssl x509 -in "$i" -noout -serial | cut -d= -f2)" list.json
        serials=$((serials + 1))
    done
    [ "$serials" -gt 24 ]
}

@test "acme-ca ends with 0 at SIGTERM, and says what was wrong with its options" {
    kill "$CA_PID"
    wait "$CA_PID"
    run acme-ca serve --dir ca --fault nonsense=1
    [ "$status" = 64 ]
    run acme-ca serve --dir ca --listen 127.0.0.1:1 --subdomains perhaps
    [ "$status" = 64 ]
    run acme-ca serve --dir /proc/none --listen 127.0.0.1:0
    [ "$status" = 73 ]
}
