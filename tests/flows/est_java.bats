#!/usr/bin/env bats
# Bouncy Castle's EST client, which Java programs use, against est-relay.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    start_authority
    write_relay_toml "$PKI" 'wait = "0s"' 'retry_after = "1s"'
    start_relay "$PKI"
}

teardown() {
    stop_all
}

# est_device IDENTITY NAME
est_device() {
    CLASSPATH=/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar \
        java "$ROOT/tests/lib/EstDevice.java" "localhost:$RELAY_PORT" "$PKI/tls-root.pem" "$@"
}

# enrolled NAME: both certificates are good and have that name.
enrolled() {
    local file
    for file in enrolled reenrolled; do
        openssl verify -CAfile "$CA_ROOT" -untrusted cacerts.pem "$file.pem"
        openssl x509 -in "$file.pem" -noout -ext subjectAltName | grep -Fx "    DNS:$1"
    done
}

@test "ESTS-10a, ESTS-14, FLD-E2: Bouncy Castle's client: cacerts, csrattrs, enrolment with 'not yet', re-enrolment" {
    set_fault processing=3
    openssl pkcs12 -export -in "$PKI/device0001.pem" -inkey "$PKI/device0001.key" -passout pass: -out idevid.p12
    # The first answer of cacerts has no intermediate: nothing was issued yet.
    est_device idevid.p12 device0001.iot.domain.com >said
    cat said
    [ "$(sort -u said | xargs)" = "cacerts trusted csrattrs 2 enrolled not yet reenrolled" ]
    est - cacerts
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out cacerts.pem
    enrolled device0001.iot.domain.com
    [ "$(requests newOrder)" = 2 ]
}

@test "ESTS-05a, ESTS-05c, FLD-E2: Bouncy Castle's client logs in with a password once it is asked for one" {
    est_device swan:secret device0007.iot.domain.com >said
    est - cacerts
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out cacerts.pem
    enrolled device0007.iot.domain.com
    run est_device swan:wrong device0007.iot.domain.com
    [ "$status" != 0 ]
    [ "$(requests newOrder)" = 2 ]
}
