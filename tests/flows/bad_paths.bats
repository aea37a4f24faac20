#!/usr/bin/env bats
# Paths with one fault each, shown to every program that validates paths: all refuse them, under an OpenSSL configuration that
# would not.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/chains
load ../lib/relay
load ../lib/brski
load ../lib/teap

PURPOSES=("subjectAltName=DNS:localhost,IP:127.0.0.1" "keyUsage=critical,digitalSignature")

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    local fault
    for fault in none $PATH_FAULTS; do
        make_chain "server/$fault" "$fault" /CN=localhost "${PURPOSES[@]}" "extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28"
        make_chain "device/$fault" "$fault" "/CN=device/serialNumber=$fault" "${PURPOSES[@]}" extendedKeyUsage=clientAuth
    done
    make_chain server/usage none /CN=localhost "${PURPOSES[@]}" extendedKeyUsage=codeSigning
    make_chain device/usage none /CN=device/serialNumber=usage "${PURPOSES[@]}" extendedKeyUsage=serverAuth
    make_chain device/agreement none /CN=device/serialNumber=agreement keyUsage=keyAgreement
    make_chain server/agreement none /CN=localhost keyUsage=keyAgreement extendedKeyUsage=1.3.6.1.5.5.7.3.28
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    SERVERS=$BATS_FILE_TMPDIR/server
    DEVICES=$BATS_FILE_TMPDIR/device
    weak_conf
}

teardown() {
    stop_all
}

# serve FAULT [OPTION...]: an HTTPS server with that path; sets URL.
serve() {
    local fault=$1 port
    shift
    port=$(free_port)
    OPENSSL_CONF=$WEAK_CONF openssl s_server -accept "127.0.0.1:$port" -cert "$SERVERS/$fault/end.pem" \
        -key "$SERVERS/$fault/end.key" -cert_chain "$SERVERS/$fault/chain.pem" -www "$@" >/dev/null 2>&1 3>&- &
    SERVER_PID=$!
    STARTED+=("$SERVER_PID")
    URL=https://127.0.0.1:$port
    wait_for 10 eval "ss -Hltn 'sport = :$port' | grep -q ."
}

# tls_refused FAULT COMMAND...: refused because of the server's certificate, unless there is no fault.
tls_refused() {
    local fault=$1
    shift
    OPENSSL_CONF=$WEAK_CONF run "$@" --json
    echo "$fault: $output"
    [ "$status" != 0 ]
    if [ "$fault" = none ]; then
        [[ $output != *'"code": "tls'* ]]
    else
        [[ $output == *'"code": "tls'* ]]
    fi
}

@test "SEC-18, SEC-19: est-enroll and the ACME clients refuse servers with every fault" {
    local fault
    for fault in none usage $PATH_FAULTS; do
        serve "$fault"
        tls_refused "$fault" est-enroll cacerts --server "$URL" --explicit-ta "$SERVERS/$fault/anchor.pem"
        tls_refused "$fault" acme-account register --directory "$URL/dir" --agree-tos --account acct.json \
            --ca-file "$SERVERS/$fault/anchor.pem"
        kill "$SERVER_PID"
        wait "$SERVER_PID" || true
    done
    # Known by id-kp-cmcRA: no name is needed, but a key usage is.
    serve agreement
    tls_refused agreement est-enroll cacerts --server "$URL" --explicit-ta "$SERVERS/agreement/anchor.pem"
    [[ $output == *'keyUsage lacks digitalSignature'* ]]
}

@test "SEC-18: est-enroll and the ACME clients refuse a handshake that is signed with SHA-1" {
    local fault algorithm
    for fault in none sha1; do
        algorithm=ECDSA+SHA256
        [ "$fault" = none ] || algorithm=ECDSA+SHA1
        serve none -tls1_2 -cipher DEFAULT:@SECLEVEL=0 -sigalgs "$algorithm"
        OPENSSL_CONF=$WEAK_CONF openssl s_client -connect "${URL#https://}" </dev/null >seen 2>&1
        grep -F "Peer signing digest: ${algorithm#*+}" seen # others get in
        tls_refused "$fault" est-enroll cacerts --server "$URL" --explicit-ta "$SERVERS/none/anchor.pem"
        tls_refused "$fault" acme-account register --directory "$URL/dir" --agree-tos --account acct.json \
            --ca-file "$SERVERS/none/anchor.pem"
        kill "$SERVER_PID"
        wait "$SERVER_PID" || true
    done
}

# relay_pki: the files of a relay whose issuer is a program, with the manufacturers of DEVICES.
relay_pki() {
    PKI=$PWD/pki
    export RELAY_DOMAIN=domain.com
    make_pki "$PKI"
    make_registrar_tls "$PKI"
    cat "$DEVICES"/*/anchor.pem >"$PKI/maker.pem"
    basename -a "$DEVICES"/* >>"$PKI/devices.csv"
    no_ca
}

@test "SEC-18, SEC-23, ESTS-25b: est-relay answers devices with every fault with 401 and says why" {
    relay_pki
    write_relay_toml "$PKI" 'wait = "20s"'
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/relay.toml"
    start_relay "$PKI"
    local fault
    enrols() { # FAULT
        rm -f "$1.key"
        csr-build --new-key ec:P-256 --key-out "$1.key" --dns "$1.domain.com" -o "$1.csr"
        openssl req -in "$1.csr" -outform DER | base64 >"$1.b64"
        CODE=$(OPENSSL_CONF=$WEAK_CONF curl -s --ciphers DEFAULT@SECLEVEL=0 --cacert "$PKI/tls-root.pem" \
            --cert "$DEVICES/$1/chain.pem" --key "$DEVICES/$1/end.key" -o answer -w '%{http_code}' \
            -H 'Content-Type: application/pkcs10' --data-binary "@$1.b64" "$RELAY/simpleenroll")
        REASON=$(grep '"event":"decision"' "$PKI/relay.log" | tail -n 1 | jq -r '.text // ""') # 401 has no body
        echo "$1: $CODE $REASON"
    }
    enrols none
    [ "$CODE" = 200 ]
    for fault in $PATH_FAULTS usage agreement; do
        enrols "$fault"
        [ "$CODE" = 401 ]
    done
    [[ $REASON == *'keyUsage lacks digitalSignature (serialNumber=agreement,CN=device at depth 0)'* ]]
    enrols usage
    [[ $REASON == *'extendedKeyUsage lacks clientAuth or anyExtendedKeyUsage'* ]]
    enrols sha1-issuer
    [[ $REASON == *'CA signature digest algorithm too weak (CN=Intermediate sha1-issuer at depth 1)'* ]]
    enrols curve-issuer
    [[ $REASON == *"explicit curve parameters instead of a curve's name (CN=Intermediate curve-issuer at depth 1)"* ]]
    enrols expired
    [[ $REASON == *'certificate has expired'* ]]
    enrols rsa1024
    [[ $REASON == *'EE certificate key too weak'* ]]
}

@test "SEC-18: est-relay signs no handshake with SHA-1, and has no certificate with an RSA key of 1024 bits" {
    relay_pki
    write_relay_toml "$PKI"
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/relay.toml"
    OPENSSL_CONF=$WEAK_CONF start_relay "$PKI"
    connects() { # DIGEST
        OPENSSL_CONF=$WEAK_CONF timeout 20 openssl s_client -connect "127.0.0.1:$RELAY_PORT" -tls1_2 -sigalgs "ECDSA+$1:RSA+$1" \
            </dev/null
    }
    connects SHA256
    ! connects SHA1 || return 1
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    cp "$SERVERS/rsa1024/chain.pem" "$PKI/ra.pem"
    cp "$SERVERS/rsa1024/end.key" "$PKI/ra.key"
    OPENSSL_CONF=$WEAK_CONF run timeout 20 est-relay serve --config "$PKI/relay.toml"
    echo "$output"
    [ "$status" = 78 ]
    [[ $output == *'the key is too small'* ]]
}

@test "SEC-18: teap-relay and teap-enroll have no certificate with an RSA key of 1024 bits" {
    relay_pki
    write_teap_toml "$PKI"
    sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/teap.toml"
    cp "$DEVICES/rsa1024/chain.pem" "$PKI/dev.pem"
    cp "$DEVICES/rsa1024/end.key" "$PKI/dev.key"
    export OPENSSL_CONF=$WEAK_CONF
    start_teap "$PKI"
    run peer dev --new-key ec:P-256 --key-out dev.key -o dev.pem --timeout 20s
    echo "$output"
    [ "$status" = 78 ]
    [[ $output == *'the key is too small'* ]]
    kill "$TEAP_PID"
    wait "$TEAP_PID" || true
    cp "$SERVERS/rsa1024/chain.pem" "$PKI/ra.pem"
    cp "$SERVERS/rsa1024/end.key" "$PKI/ra.key"
    run timeout 20 teap-relay serve --config "$PKI/teap.toml"
    echo "$output"
    [ "$status" = 78 ]
    [[ $output == *'the key is too small'* ]]
}

@test "SEC-18, SEC-19, ESTS-25a: teap-relay rejects devices, and teap-enroll servers, with faults" {
    relay_pki
    local fault
    prepare() { # FAULT: of the server
        cp "$SERVERS/$1/chain.pem" "$PKI/ra.pem"
        cp "$SERVERS/$1/end.key" "$PKI/ra.key"
        cp "$SERVERS/$1/anchor.pem" "$PKI/tls-root.pem"
        write_teap_toml "$PKI"
        sed -i "s|^account = .*|issuer = [\"$PKI/issue\"]|; /^update = \|^tsig_key = /d" "$PKI/teap.toml"
        start_teap "$PKI"
    }
    enrols() { # FAULT: of the device
        rm -f dev.key
        cp "$DEVICES/$1/chain.pem" "$PKI/dev.pem"
        cp "$DEVICES/$1/end.key" "$PKI/dev.key"
        run peer dev --new-key ec:P-256 --key-out dev.key -o dev.pem --timeout 20s
        echo "$1: $output"
    }
    cp "$PKI/tls-root.pem" issuer.pem
    cp "$PKI/tls-root.key" issuer.key
    sed -i "s|$PKI/tls-root|$PWD/issuer|g" "$PKI/issue"
    export CA_ROOT=$PWD/issuer.pem
    prepare none
    enrols none
    [ "$status" = 0 ]
    for fault in curve curve-issuer expired future no-ca pathlen names critical v1-issuer impostor usage agreement; do
        enrols "$fault"
        [ "$status" != 0 ]
    done
    grep -q 'is not valid: the keyUsage lacks digitalSignature' "$TEAP_LOG"
    kill "$TEAP_PID"
    wait "$TEAP_PID" || true
    for fault in curve-issuer expired no-ca pathlen names critical usage; do
        prepare "$fault"
        enrols none
        [ "$status" != 0 ]
        [[ $output == *" at depth "* ]]
        kill "$TEAP_PID"
        wait "$TEAP_PID" || true
    done
}

@test "SEC-18, SEC-19: brski-pledge refuses registrars and signers of vouchers with faults" {
    make_flow5
    request_of() { # FAULT: of the registrar
        brski-pledge sign-request "${PLEDGE[@]}" --registrar-cert "$SERVERS/$1/end.pem" -o request
    }
    judged() { # FAULT-OF-REGISTRAR FAULT-OF-SIGNER
        request_of "$1"
        voucher_json request | jq -c --arg pin "$(openssl x509 -in "$SERVERS/$1/anchor.pem" -outform DER | base64 -w0)" \
            '."ietf-voucher:voucher"."pinned-domain-cert" = $pin' >voucher.json
        openssl cms -sign -binary -nodetach -in voucher.json -signer "$SERVERS/$2/end.pem" -inkey "$SERVERS/$2/end.key" \
            -certfile "$SERVERS/$2/others.pem" -outform DER -econtent_type 1.2.840.113549.1.9.16.1.40 -out voucher
        OPENSSL_CONF=$WEAK_CONF run brski-pledge verify --manufacturer-ta "$SERVERS/$2/anchor.pem" --idevid pledgeid.pem \
            --request request --registrar-cert "$SERVERS/$1/chain.pem" --json <voucher
        echo "$1 $2: $output"
    }
    local fault
    for fault in none $PATH_FAULTS agreement; do
        judged none "$fault"
        if [ "$fault" = none ]; then
            [ "$status" = 0 ]
            continue
        fi
        [ "$status" != 0 ]
        [[ $output == *'"code": "sign'* ]] # signature, signer
        judged "$fault" none
        [ "$status" != 0 ]
        [[ $output == *'"code": "registrar"'* ]]
    done
}

@test "SEC-18, SEC-19: brski-masa refuses the signers of a registrar's and of a pledge's request with faults" {
    make_flow5
    # asked FAULT PLEDGE: the voucher-request of a registrar with that path for that device's request, in the file asked.
    asked() {
        local certificate
        certificate=$(openssl x509 -in "$SERVERS/$1/end.pem" -outform DER | base64 -w0)
        jq -nc --arg seen "$certificate" --arg now "$(date -u +%FT%TZ)" \
            '{"ietf-voucher-request:voucher": {assertion: "proximity", "serial-number": "pledgeid", nonce: "AAAAAAAAAAAAAAAA",
              "created-on": $now, "proximity-registrar-cert": $seen}}' >prior.json
        openssl cms -sign -binary -nodetach -in prior.json -signer "$2.pem" -inkey "$2.key" -outform DER \
            -econtent_type 1.2.840.113549.1.9.16.1.40 -out prior
        jq -c --arg prior "$(base64 -w0 prior)" '."ietf-voucher-request:voucher" |=
            (del(."proximity-registrar-cert") + {"prior-signed-voucher-request": $prior})' prior.json >asked.json
        cat "$SERVERS/$1/others.pem" "$SERVERS/$1/anchor.pem" >certificates.pem
        openssl cms -sign -binary -nodetach -in asked.json -signer "$SERVERS/$1/end.pem" -inkey "$SERVERS/$1/end.key" \
            -certfile certificates.pem -outform DER -econtent_type 1.2.840.113549.1.9.16.1.40 -out asked
    }
    masa() { # [OPTION...]
        OPENSSL_CONF=$WEAK_CONF run brski-masa sign --dir "$MAKER" "$@" --json -o voucher <asked
        echo "$output"
    }
    local fault
    for fault in none $PATH_FAULTS agreement; do
        asked "$fault" pledgeid
        masa
        if [ "$fault" = none ]; then
            [ "$status" = 0 ]
        elif [[ $fault != @(impostor|no-ca|v1-issuer) ]]; then # any CA is taken, and none is needed
            [ "$status" != 0 ]
        fi
        masa --registrar-trust "$SERVERS/$fault/anchor.pem"
        if [ "$fault" = none ]; then [ "$status" = 0 ]; else [ "$status" != 0 ]; fi
    done
    # The device: the manufacturer's CA is at hand.
    for fault in expired usage agreement; do
        local clock=-1h extension=keyUsage=digitalSignature
        [ "$fault" != expired ] || clock=-3d
        [ "$fault" != usage ] || extension=extendedKeyUsage=codeSigning
        [ "$fault" != agreement ] || extension=keyUsage=keyAgreement
        chain_key "$fault.key"
        chain_link "$fault" /CN=device/serialNumber=pledgeid "$MAKER/vendor" "$clock" sha256 "$extension"
        asked none "$fault"
        masa
        [ "$status" != 0 ]
        [[ $output == *'"code": "prior-signer"'* ]]
    done
}
