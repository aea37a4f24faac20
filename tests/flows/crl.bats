#!/usr/bin/env bats
# CRLs of manufacturers, of the issuing CA and of a voucher's domain.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/relay
load ../lib/teap
load ../lib/brski
load ../lib/chains

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    export RELAY_DOMAIN=domain.com
    make_pki "$PKI"
    make_registrar_tls "$PKI"
    make_chain maker none /CN=device/serialNumber=device0001 keyUsage=digitalSignature
    cp maker/anchor.pem "$PKI/maker.pem"
    cp maker/chain.pem "$PKI/device.pem"
    cp maker/end.key "$PKI/device.key"
    no_ca
}

teardown() {
    stop_all
}

# relay [LINE...]: est-relay; LINEs go into [clients.idevid].
relay() {
    write_relay_toml "$PKI" 'wait = "20s"'
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/relay.toml"
    printf '%s\n' "$@" >lines
    sed -i '/^\[clients.idevid\]/r lines' "$PKI/relay.toml"
    start_relay "$PKI"
}

# enrols: device0001 requests a certificate; sets STATUS.
enrols() {
    rm -f new.key
    csr-build --new-key ec:P-256 --key-out new.key --dns device0001.domain.com -o new.csr
    openssl req -in new.csr -outform DER | base64 >new.b64
    est device simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @new.b64
    told
}

# told: sets REASON, which the log has of the last decision; 401 has no body.
told() {
    REASON=$(grep '"event":"decision"' "$PKI/relay.log" | tail -n 1 | jq -r '.text // ""')
    echo "$STATUS: $REASON"
}

reload() {
    local before
    before=$(grep -c '"msg":"reloaded"' "$PKI/relay.log" || true)
    kill -HUP "$RELAY_PID"
    wait_for 10 eval "[ \$(grep -c '\"msg\":\"reloaded\"' '$PKI/relay.log') -gt $before ]"
}

# publish_crl AHEAD CA CLOCK [CERTIFICATE...]: the web server has this CRL, and the relay reads it.
# AHEAD seconds in the future tell it from the one before: If-Modified-Since has whole seconds.
publish_crl() {
    local ahead=$1
    shift
    make_crl www/maker.crl "$@"
    touch -d "$ahead seconds" www/maker.crl
    reload
}

@test "SEC-23, ESTS-26a, ESTS-26c: a device on its maker's CRL gets 401 after SIGHUP; a stale CRL refuses or accepts, and check tells" {
    make_crl "$PKI/maker.crl" maker/middle -1h
    relay 'crl = ["maker.crl"]'
    enrols
    [ "$STATUS" = 200 ]
    est-relay check --config "$PKI/relay.toml" | grep -q 'ok *clients.idevid: CRL of CN=Intermediate none until .*, 0 entries'

    make_crl "$PKI/maker.crl" maker/middle -1h maker/end.pem
    enrols
    [ "$STATUS" = 200 ]
    reload
    enrols
    [ "$STATUS" = 401 ]
    [[ $REASON == *'the certificate is revoked since '*' (serialNumber=device0001,CN=device at depth 0)'* ]]

    make_crl "$PKI/maker.crl" maker/middle -3d
    reload
    wait_for 10 grep -q '"event":"crl".*"level":"warning"' "$PKI/relay.log"
    enrols
    [ "$STATUS" = 503 ]
    grep -qi '^retry-after: 3[0-6][0-9]' "$PKI/headers"
    grep -q 'CRL has expired of CN=Intermediate none' "$PKI/body"
    wait_for 10 eval 'curl -sf "$RELAY_ADMIN/readyz" | grep -q "warning: .*maker.crl: the CRL of CN=Intermediate none is valid only"'
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *'fail  clients.idevid: stale CRL of CN=Intermediate none'* ]]
    curl -sf "$RELAY_ADMIN/status" -o status.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/relay-status.json" <status.json
    jq -e '.crls[0] | .crls[0].entries == 0 and (.error | contains("valid only"))' status.json

    sed -i 's/^crl = .*/&\ncrl_stale = "accept"/' "$PKI/relay.toml"
    reload
    enrols
    [ "$STATUS" = 200 ]
    est-relay check --config "$PKI/relay.toml" | grep -q 'warn  clients.idevid: stale CRL'
    echo nothing >"$PKI/maker.crl"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q 'not reloaded.*maker.crl: contains no CRL' "$PKI/relay.log"
}

# serve_crls: an HTTP server for the files in www/, whose requests are in www.log; sets CRL_PORT.
serve_crls() {
    : "${CRL_PORT:=$(free_port)}"
    python3 - "$CRL_PORT" >/dev/null 2>www.log 3>&- <<'END' &
import http.server, sys

class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/moved.crl":
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", "/maker.crl")
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), lambda *a: Handler(*a, directory="www")).serve_forever()
END
    CRL_PID=$!
    STARTED+=("$CRL_PID")
    wait_for 10 eval "ss -Hltn 'sport = :$CRL_PORT' | grep -q ."
}

@test "ESTS-26a, SEC-23: a CRL is fetched by HTTP, kept for a start without network, and only taken if it is authentic and newer" {
    mkdir www
    make_crl www/maker.crl maker/anchor -1h
    CRL_PORT=$(free_port)
    local url=http://127.0.0.1:$CRL_PORT/maker.crl
    # The anchor issues the devices itself here.
    chain_key "$PKI/device.key"
    chain_link "$PKI/device" /CN=device/serialNumber=device0001 maker/anchor -1h sha256 keyUsage=digitalSignature
    relay "crl = [\"$url\"]"
    wait_for 10 grep -q '"event":"crl"' "$PKI/relay.log"
    enrols
    [ "$STATUS" = 503 ]
    grep -q 'there is no CRL of CN=Anchor none' "$PKI/body"
    est-relay check --config "$PKI/relay.toml" | grep -q "warn  clients.idevid: the CRL of $url was not fetched yet"
    run est-relay check --config "$PKI/relay.toml" --online
    [[ $output == *"fail  clients.idevid: CRL: $url"* ]]

    serve_crls
    reload
    wait_for 10 eval 'enrols && [ "$STATUS" = 200 ]'
    est-relay check --config "$PKI/relay.toml" | grep -q 'ok *clients.idevid: CRL of CN=Anchor none until'
    reload
    wait_for 10 grep -q '"GET /maker.crl HTTP/1.1" 304' www.log

    # One that another CA of that name signed, and an old one.
    make_chain other none /CN=x
    publish_crl 10 other/anchor -1h
    wait_for 10 grep -q 'the signature of the CRL is not by CN=Anchor none' "$PKI/relay.log"
    enrols
    [ "$STATUS" = 200 ]
    publish_crl 20 maker/anchor -2h "$PKI/device.pem"
    wait_for 10 grep -q 'is older than the one before' "$PKI/relay.log"
    enrols
    [ "$STATUS" = 200 ]

    publish_crl 30 maker/anchor -30m "$PKI/device.pem"
    wait_for 10 eval 'enrols && [ "$STATUS" = 401 ]'
    kill "$RELAY_PID" "$CRL_PID"
    wait "$RELAY_PID" "$CRL_PID" || true
    start_relay "$PKI"
    enrols
    [ "$STATUS" = 401 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true

    # Redirects are not followed.
    serve_crls
    sed -i 's|maker.crl|moved.crl|' "$PKI/relay.toml"
    start_relay "$PKI"
    wait_for 10 grep -q 'moved.crl: status 302' "$PKI/relay.log"
    enrols
    [ "$STATUS" = 503 ]
}

@test "ESTS-26b, ESTS-26c: a certificate issued here that is on its CA's CRL is no identity; a stale CRL stops no renewal by default" {
    relay
    enrols
    [ "$STATUS" = 200 ]
    base64 -d "$PKI/body" | openssl pkcs7 -inform DER -print_certs | openssl x509 -out "$PKI/ldevid.pem"
    cp new.key "$PKI/ldevid.key"
    renews() {
        openssl req -new -key "$PKI/ldevid.key" -subj / -addext subjectAltName=DNS:device0001.domain.com -outform DER | base64 >renewal.b64
        est ldevid simplereenroll -H 'Content-Type: application/pkcs10' --data-binary @renewal.b64
        told
    }
    renews
    [ "$STATUS" = 200 ]
    make_crl "$PKI/ca.crl" "$PKI/tls-root" -1h "$PKI/ldevid.pem"
    printf '[clients.issued]\ncrl = ["ca.crl"]\n' >>"$PKI/relay.toml"
    reload
    renews
    [ "$STATUS" = 401 ]
    [[ $REASON == *'the certificate is revoked since'* ]]
    make_crl "$PKI/ca.crl" "$PKI/tls-root" -3d
    reload
    renews
    [ "$STATUS" = 200 ]
    est-relay check --config "$PKI/relay.toml" | grep -q 'warn  clients.issued: stale CRL of CN=TLS root'
    sed -i 's/^crl = .*/&\ncrl_stale = "refuse"/' "$PKI/relay.toml"
    reload
    renews
    [ "$STATUS" = 503 ]
}

@test "SEC-23, ESTS-26a, BRR-14a: BRSKI and TEAP refuse a device that its maker revoked" {
    make_flow5
    start_masa "$MAKER"
    registrar
    make_crl "$PKI/vendor.crl" "$MAKER/vendor" -1h pledgeid.pem
    sed -i "/^name = \"lab\"/a crl = [\"vendor.crl\"]" "$PKI/relay.toml"
    reload
    request one
    ask one
    [ "$STATUS" = 403 ]
    grep -q 'the certificate of this device of lab is not valid: the certificate is revoked since' answer
    grep -q '"event":"brski".*the certificate is revoked since' "$PKI/relay.log"
    # [clients.idevid] trusts the maker without a CRL: the device is let in by no other way.
    [ "$(est_code csrattrs)" = 401 ]
    make_crl "$PKI/vendor.crl" "$MAKER/vendor" -1h
    reload
    ask one
    [ "$STATUS" = 200 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true

    make_crl "$PKI/vendor.crl" "$MAKER/vendor" -1h pledgeid.pem
    write_teap_toml "$PKI"
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d; s|^trust = .*|trust = [\"$MAKER/vendor.pem\"]\ncrl = [\"vendor.crl\"]|" \
        "$PKI/teap.toml"
    start_teap "$PKI"
    cp pledgeid.pem pledgeid.key "$PKI"
    run peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem --timeout 20s
    [ "$status" != 0 ]
    grep -q "the manufacturer's certificate of this device is not valid: the certificate is revoked since" "$TEAP_LOG"
}

@test "BRP-12a, BRP-12b: a voucher that demands revocation checks is refused without --crl and checked with it" {
    make_flow5
    make_chain domain none /CN=registrar keyUsage=digitalSignature extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28
    brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert domain/end.pem -o request
    make_voucher voucher "$(voucher_json request | jq -c --arg pin "$(openssl x509 -in domain/anchor.pem -outform DER | base64 -w0)" \
        '."ietf-voucher:voucher" += {"pinned-domain-cert": $pin, "domain-cert-revocation-checks": true}')"
    judged() { # [OPTION...]
        run brski-pledge verify --manufacturer-ta "$MAKER/vendor.pem" --idevid pledgeid.pem --request request \
            --registrar-cert domain/chain.pem "$@" <voucher
        echo "$output"
    }
    judged
    [ "$status" != 0 ]
    [[ $output == *'domain-cert-revocation-checks: the voucher demands'*'--crl'* ]]
    make_crl middle.crl domain/middle -1h
    make_crl anchor.crl domain/anchor -1h
    judged --crl middle.crl --crl anchor.crl
    [ "$status" = 0 ]
    judged --crl anchor.crl
    [ "$status" != 0 ]
    [[ $output == *'there is no CRL of CN=Intermediate none'* ]]
    make_crl middle.crl domain/middle -1h domain/end.pem
    judged --crl middle.crl
    [ "$status" != 0 ]
    [[ $output == *'the certificate is revoked since'* ]]
    make_crl middle.crl domain/middle -3d
    judged --crl middle.crl
    [ "$status" != 0 ]
    [[ $output == *'CRL has expired'* ]]
}
