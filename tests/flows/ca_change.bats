#!/usr/bin/env bats
# CA certificates for devices: several anchors, a CA that changes root and intermediate, intermediates before the first
# device, and clients that come back weeks later. Peers: curl and openssl, strongSwan's pki.

load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap
load ../lib/est
load ../lib/root_change

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    DEVICES=()
    make_pki "$PKI"
    export RELAY_DOMAIN=iot.domain.com
}

teardown() {
    local pid
    touch stop
    for pid in "${DEVICES[@]}"; do wait "$pid" || true; done
    stop_all
}

checked() {
    est-relay check --config "$PKI/relay.toml" --json | jq -r '.findings[] | .verdict + " " + .subject + ": " + .message'
}

count() { # FILE: of certificates in it
    grep -c 'BEGIN CERTIFICATE' "$1"
}

# changing_ca: roots a and b (key update), intermediates a1 and a2 under a, b1 under b; an issuer that signs with the one that
# the link "current" names at that moment, and shows its chain.
changing_ca() {
    issue a '/CN=Changing Root' - "${CA_EXTENSIONS[@]}"
    key_update a b
    make_intermediate a1 a 'Intermediate A1'
    make_intermediate a2 a 'Intermediate A2'
    make_intermediate b1 b 'Intermediate B1'
    ln -s a1 current
    CA_ROOT=$PWD/a.pem
    ACCOUNT=none
    cat >"$PKI/issue" <<END
#!/bin/sh
dir=\$(readlink -f "$PWD/current")
printf 'authorityKeyIdentifier=keyid:always\n' >"$PWD/issue.\$\$"
openssl x509 -req -in /dev/stdin -CA "\$dir/int.pem" -CAkey "\$dir/int.key" -days 5 -copy_extensions copy \
    -extfile "$PWD/issue.\$\$" 2>/dev/null
rm "$PWD/issue.\$\$"
cat "\$dir/int.pem"
END
    chmod +x "$PKI/issue"
}

ca_signs_with() {
    ln -s "$1" next
    mv -T next current
}

# put_tls CA: a new certificate of the relay under CA, with the intermediate, as one renewal replaces another.
put_tls() {
    rm -f tls.key
    issue_tls tls "$1/int"
    cat "$1/int.pem" >>tls.pem
    cp tls.key "$PKI/ra.key"
    cp tls.pem "$PKI/ra.pem"
}

make_devices() { # NAME COUNT
    local i
    for ((i = 1; i <= $2; i++)); do
        make_idevid "$PKI" "$1$i"
        echo "$1$i" >>"$PKI/devices.csv"
    done
}

# takes_turn KIND OTHER: waits while ten more devices of this kind than of the other have enrolled: there are 60 of each.
takes_turn() {
    while [ ! -e stop ] && (($(grep -c "^$1" enrolled) > $(grep -c "^$2" enrolled) + 10)); do sleep 0.1; done
}

# curl_devices: one device after the other until the file stop is there, each with root a as its only anchor. Its certificate
# leads to what /cacerts has then, and to root a alone by what /cacerts has besides.
curl_devices() {
    local i=0 answer
    while [ ! -e stop ] && ((i < 60)); do
        takes_turn curl est
        i=$((i + 1))
        make_csr "curl$i.iot.domain.com" "curl$i.csr" || return
        for _ in $(seq 60); do
            answer=$(curl -s --max-time 60 --cacert a.pem --cert "$PKI/curl$i.pem" --key "$PKI/curl$i.key" \
                -H 'Content-Type: application/pkcs10' --data-binary "@curl$i.csr" -o "curl$i.body" -w '%{http_code}' \
                "https://127.0.0.1:$RELAY_PORT/.well-known/est/simpleenroll")
            [ "$answer" = 202 ] || break
            sleep 0.3
        done
        [ "$answer" = 200 ] || { echo "curl$i: $answer $(cat "curl$i.body")" >>failures; continue; }
        openssl base64 -d -in "curl$i.body" | openssl pkcs7 -inform DER -print_certs -out "curl$i.pem"
        cas_of "curl$i.cas" --cacert a.pem
        openssl verify -CAfile "curl$i.cas" "curl$i.pem" >>verified 2>&1 || echo "curl$i: does not verify" >>failures
        openssl verify -no-CApath -no-CAstore -trusted a.pem -untrusted <(below_roots "curl$i.cas") "curl$i.pem" >>verified 2>&1 ||
            echo "curl$i: not under the old root" >>failures
        echo "curl$i" >>enrolled
    done
}

# est_devices: the same with est-enroll, which saves /cacerts, and renews with what it saved. The first one of them comes back
# each time, too, with what it saved first.
est_devices() {
    local i=0 server="https://127.0.0.1:$RELAY_PORT"
    while [ ! -e stop ] && ((i < 60)); do
        takes_turn est curl
        i=$((i + 1))
        est-enroll run --server "$server" --explicit-ta a.pem --cert "$PKI/est$i.pem" --key "$PKI/est$i.key" --retry-after 1s \
            --new-key auto --key-out "est$i.key" --save-cacerts "est$i.cas" -o "est$i.pem" 2>>"est$i.err" ||
            { echo "est$i: $(cat "est$i.err")" >>failures; continue; }
        [ ! -s "est$i.err" ] || echo "est$i warns: $(cat "est$i.err")" >>failures
        openssl verify -CAfile "est$i.cas" "est$i.pem" >>verified 2>&1 || echo "est$i: does not verify" >>failures
        for device in est1 "est$i"; do
            est-enroll renew --server "$server" --explicit-ta "$device.cas" --cert "$device.pem" --key "$device.key" \
                --before 100000h --retry-after 1s -o "$device.pem" 2>>"$device.err" ||
                echo "$device renews: $(cat "$device.err")" >>failures
        done
        echo "est$i" >>enrolled
    done
}

# go_on: until two more devices of each kind have enrolled.
go_on() {
    local kind from
    for kind in curl est; do
        from=$(grep -c "^$kind" enrolled || true)
        # shellcheck disable=SC2016
        wait_for 120 bash -c '[ -s failures ] || (($(grep -c "^$0" enrolled) >= $1 + 2))' "$kind" "$from"
    done
    [ ! -e failures ] || { cat failures >&2 && return 1; }
}

@test "FLD-E5, INT-28b: the CA changes intermediate and root, and the relay its certificate, while devices enrol: nobody fails" {
    changing_ca
    make_devices curl 60
    make_devices est 60
    export RELAY_LIMITS='orders_per_device = 900'
    write_relay_toml "$PKI" 'wait = "2s"' 'retry_after = "1s"'
    by_program "$PKI" "$PKI/relay.toml"
    put_tls a1
    start_relay "$PKI"
    touch enrolled
    curl_devices 3>&- &
    DEVICES+=($!)
    est_devices 3>&- &
    DEVICES+=($!)
    go_on

    ca_signs_with a2
    go_on
    # Both roots are announced before the CA uses the new one.
    root_lines 'root = ["../a.pem", "../b.pem"]' 'key_updates = ["../b-links.pem"]'
    reload
    go_on
    ca_signs_with b1
    go_on
    put_tls b1
    reload
    go_on
    touch stop
    for pid in "${DEVICES[@]}"; do wait "$pid"; done
    DEVICES=()
    [ ! -e failures ]

    # A client that knows only the new root, and one that knows only the old root.
    cas_of all.pem --cacert b.pem
    [ "$(count all.pem)" = 7 ] # two roots, two key updates, three intermediates
    openssl crl2pkcs7 -nocrl -certfile all.pem | openssl pkcs7 -print_certs -noout | grep -q 'Intermediate B1'
    pki --estca --url "https://127.0.0.1:$RELAY_PORT" --cacert a.pem --caout swan.pem --outform pem --force
    checked >findings
    grep -q '^ok cacerts: clients that trust only these anchors accept the certificate in \[tls\]' findings
    run grep '^\(warn\|fail\) cacerts' findings
    [ "$status" = 1 ]
}

@test "INT-28b: with acme-ca: a new root that was not announced gives certificates all the same; reload mends /cacerts" {
    start_authority
    write_relay_toml "$PKI" 'retry_after = "1s"'
    start_relay "$PKI"
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    [ "$STATUS" = 200 ]
    cas_of before.pem --cacert "$PKI/tls-root.pem"
    [ "$(count before.pem)" = 2 ]

    key_update ca/root new
    kill "$CA_PID"
    wait "$CA_PID" || true
    cp ca/root.pem old.pem
    cp new.pem ca/root.pem
    cp new.key ca/root.key
    rm ca/intermediate.*
    CA_LISTEN=${CA_DIRECTORY#https://}
    CA_LISTEN=${CA_LISTEN%/directory} start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    sed -i "s|^root = .*|root = \"../old.pem\"|" "$PKI/relay.toml"
    reload
    make_csr device0001.iot.domain.com again.csr
    enrol device0001 simpleenroll again.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out again.pem
    grep -q 'does not lead to a configured root' "$PKI/relay.log"
    cas_of now.pem --cacert "$PKI/tls-root.pem"
    [ "$(count now.pem)" = 2 ]
    run openssl verify -CAfile now.pem again.pem
    [ "$status" != 0 ]

    root_lines 'root = ["../old.pem", "../new.pem"]' 'key_updates = "../new-links.pem"'
    reload
    cas_of now.pem --cacert "$PKI/tls-root.pem"
    [ "$(count now.pem)" = 6 ]
    openssl verify -CAfile now.pem again.pem
    openssl verify -no-CApath -no-CAstore -trusted old.pem -untrusted <(below_roots now.pem) again.pem
}

@test "FLD-E5: files that do not belong into their key are refused, and a reload with them changes nothing" {
    changing_ca
    write_relay_toml "$PKI"
    by_program "$PKI" "$PKI/relay.toml"
    start_relay "$PKI"
    for line in 'root = "../a1/int.pem"' 'root = "../a.pem"|anchors = "../a1/int.pem"' 'root = "../a.pem"|intermediates = "../a.pem"' \
        'root = "../a.pem"|key_updates = "../b-links.pem"' 'root = []'; do
        root_lines "${line%%|*}" "$([[ $line != *'|'* ]] || echo "${line#*|}")"
        run est-relay check --config "$PKI/relay.toml"
        [ "$status" = 78 ]
        kill -HUP "$RELAY_PID"
        wait_for 20 grep -q 'not reloaded' "$PKI/relay.log"
        : >"$PKI/relay.log"
    done
    cas_of now.pem --cacert "$PKI/tls-root.pem"
    [ "$(count now.pem)" = 1 ]
    cmp <(openssl x509 -in now.pem) <(openssl x509 -in a.pem)
    # Intermediates that have no path are not sent.
    root_lines 'root = "../a.pem"' 'intermediates = ["../a1/int.pem", "../b1/int.pem"]'
    reload
    cas_of now.pem --cacert "$PKI/tls-root.pem"
    [ "$(count now.pem)" = 2 ]
    checked >findings || true
    grep -q '^fail cacerts: intermediate CN=Intermediate B1' findings
}

@test "TEAP-23, INT-28a: Trusted-Server-Root has the roots, further anchors, key updates, and the anchor of the server's own chain" {
    changing_ca
    write_teap_toml "$PKI"
    by_program "$PKI" "$PKI/teap.toml"
    export TOML=$PKI/teap.toml
    cp "$PKI/ra.pem" ra-alone.pem
    # The certificate of the RADIUS server is of another CA, whose root is in the file.
    cat "$PKI/tls-root.pem" >>"$PKI/ra.pem"
    start_teap "$PKI"
    peer device0001 --new-key ec:P-256 --key-out one.key --save-root one.roots -o one.pem
    [ "$(count one.roots)" = 2 ]
    openssl crl2pkcs7 -nocrl -certfile one.roots | openssl pkcs7 -print_certs -noout >names
    grep -q 'Changing Root' names
    grep -q 'TLS root' names
    # The device trusts only what it got.
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file one.roots --cert one.pem --key one.key

    cp ra-alone.pem "$PKI/ra.pem"
    root_lines 'root = ["../a.pem", "../b.pem"]' 'anchors = "tls-root.pem"' 'key_updates = "../b-links.pem"' \
        'intermediates = "../a1/int.pem"'
    kill -HUP "$TEAP_PID"
    wait_for 20 grep -q '"reloaded"' "$TEAP_LOG"
    peer device0001 --new-key ec:P-256 --key-out two.key --save-root two.roots -o two.pem
    [ "$(count two.roots)" = 5 ] # no intermediate is an anchor
    teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file two.roots --cert two.pem --key two.key
    [ "$(count two.pem)" = 2 ]
}

# serve_files: python's HTTP server for the folder www; sets WWW.
serve_files() {
    local port
    mkdir -p www
    port=$(free_port)
    python3 -u -m http.server --bind 127.0.0.1 --directory www "$port" >www.log 2>&1 3>&- &
    STARTED+=("$!")
    WWW=http://127.0.0.1:$port
    wait_for 20 curl -sf -o /dev/null "$WWW/"
}

@test "FLD-E6, INT-29: the intermediate is in /cacerts before the first device: by the URL in the relay's own certificate" {
    only_sqlite
    start_authority
    serve_files
    openssl x509 -in ca/intermediate.pem -outform DER -out www/int.cer
    openssl crl2pkcs7 -nocrl -certfile ca/intermediate.pem -outform DER -out www/int.p7c
    cp ca/intermediate.pem www/int.pem
    for form in int.cer int.p7c int.pem; do
        rm -f tls.key "$PKI"/relay.db*
        issue_tls tls ca/intermediate "authorityInfoAccess=caIssuers;URI:$WWW/absent.cer,caIssuers;URI:$WWW/$form"
        cp tls.pem "$PKI/ra.pem"
        cp tls.key "$PKI/ra.key"
        write_relay_toml "$PKI" 'retry_after = "1s"'
        checked | grep -q "^ok cacerts: no intermediate of the CA is known yet: the relay asks $WWW"
        start_relay "$PKI"
        cas_of cas.pem --insecure
        [ "$(count cas.pem)" = 2 ]
        openssl verify -CAfile cas.pem tls.pem
        cas_of again.pem --cacert cas.pem # what the relay shows is below it
        kill "$RELAY_PID"
        wait "$RELAY_PID"
    done
    grep -q '"event":"cacerts".*absent.cer: status 404' "$PKI/relay.log"
    [ "$(requests newOrder)" = 0 ]

    # It is not asked again: the database has it.
    : >www.log
    start_relay "$PKI"
    cas_of cas.pem --insecure
    [ "$(count cas.pem)" = 2 ]
    [ ! -s www.log ]
    kill "$RELAY_PID"
    wait "$RELAY_PID"

    # What was fetched is nothing but a certificate of that issuer; the relay serves all the same.
    cp "$PKI/maker.pem" www/int.pem
    for step in wrong off; do
        rm -f "$PKI"/relay.db*
        [ "$step" = wrong ] || root_lines "root = \"$CA_ROOT\"" 'aia = false'
        : >www.log
        start_relay "$PKI"
        cas_of cas.pem --insecure
        [ "$(count cas.pem)" = 1 ]
        if [ "$step" = wrong ]; then grep -q int.pem www.log; else [ ! -s www.log ]; fi
        kill "$RELAY_PID"
        wait "$RELAY_PID"
    done
    grep -q 'int.pem has not the issuer of CN=localhost' "$PKI/relay.log"
    checked | grep -q '^warn cacerts: no intermediate of the CA is known yet'
}

@test "FLD-E6, INT-29: the intermediate is in /cacerts before the first device: configured, by the chain in [tls], by an order" {
    only_sqlite
    start_authority
    write_relay_toml "$PKI" 'retry_after = "1s"'
    checked | grep -q '^warn cacerts: no intermediate of the CA is known yet'
    root_lines "root = \"$CA_ROOT\"" "intermediates = \"../ca/intermediate.pem\""
    run checked
    [[ $output != *"no intermediate of the CA is known"* ]]
    start_relay "$PKI"
    cas_of cas.pem --cacert "$PKI/tls-root.pem"
    [ "$(count cas.pem)" = 2 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID"

    rm "$PKI"/relay.db*
    root_lines "root = \"$CA_ROOT\"" 'order = "cacerts.iot.domain.com"'
    checked | grep -q '^ok cacerts: .*the relay orders a certificate for cacerts.iot.domain.com'
    start_relay "$PKI"
    cas_of cas.pem --cacert "$PKI/tls-root.pem"
    [ "$(count cas.pem)" = 2 ]
    [ "$(requests newOrder)" = 1 ]
    acme-ca list --dir ca | jq -e '.certificates[0].identifiers[0].value == "cacerts.iot.domain.com"'
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    start_relay "$PKI"
    [ "$(requests newOrder)" = 1 ]
    # A device that verifies with what it got before it enrolled.
    make_csr device0001.iot.domain.com dev.csr
    enrol device0001 simpleenroll dev.csr
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out dev.pem
    openssl verify -CAfile cas.pem dev.pem
    kill "$RELAY_PID"
    wait "$RELAY_PID"

    rm "$PKI"/relay.db*
    root_lines "root = \"$CA_ROOT\""
    issue_tls tls ca/intermediate
    cat tls.pem ca/intermediate.pem >"$PKI/ra.pem"
    cp tls.key "$PKI/ra.key"
    checked | grep -q '^ok cacerts: the chain in \[tls\] shows'
    start_relay "$PKI"
    cas_of cas.pem --cacert "$CA_ROOT"
    [ "$(count cas.pem)" = 2 ]
    [ "$(requests newOrder)" = 2 ]

    sed -i 's|^\[cacerts\]|&\norder = "cacerts.example.org"|' "$PKI/relay.toml"
    run est-relay check --config "$PKI/relay.toml"
    [ "$status" = 78 ]
    [[ $output == *"order: must be below one of the [[domain]] names"* ]]
}

@test "FLD-E6: a CA that is away does not keep the relay from serving; the order goes on when it is back" {
    start_authority
    write_relay_toml "$PKI" 'retry_after = "1s"' 'remember_failure = "1s"'
    root_lines "root = \"$CA_ROOT\"" 'order = "cacerts.iot.domain.com"'
    kill "$CA_PID"
    wait "$CA_PID" || true
    start_relay "$PKI"
    grep -q '"event":"cacerts".*"level":"warning".*cacerts.iot.domain.com' "$PKI/relay.log"
    cas_of cas.pem --cacert "$PKI/tls-root.pem"
    [ "$(count cas.pem)" = 1 ]
    CA_LISTEN=${CA_DIRECTORY#https://}
    CA_LISTEN=${CA_LISTEN%/directory} start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    known() {
        reload && cas_of cas.pem --cacert "$PKI/tls-root.pem" && [ "$(count cas.pem)" = 2 ]
    }
    wait_for 60 known
}

# The relay's certificate is of another CA than those of the devices, as in README.
@test "FLD-U2, FLD-E5: run warns if the saved CA certificates do not lead to the server, --check proves it, anchors mend it" {
    start_authority
    write_relay_toml "$PKI" 'retry_after = "1s"'
    checked | grep -q '^warn cacerts: clients that trust only these anchors do not accept the certificate in \[tls\]'
    start_relay "$PKI"
    local server="https://127.0.0.1:$RELAY_PORT" warning='would not accept this server'
    local first=(--server "$server" --explicit-ta "$PKI/tls-root.pem" --cert "$PKI/device0001.pem" --key "$PKI/device0001.key")
    est-enroll run "${first[@]}" --new-key auto --key-out dev.key --save-cacerts saved.pem -o dev.pem 2>err
    [ "$(grep -c "warning: a later run with --explicit-ta saved.pem $warning" err)" = 1 ]
    # Whoever kept the anchor can renew; who took those of /cacerts learns it now, not weeks later.
    local again=(--server "$server" --cert dev.pem --key dev.key)
    run est-enroll renew --check "${again[@]}" --explicit-ta "$PKI/tls-root.pem"
    [ "$status" = 1 ]
    run est-enroll renew --check "${again[@]}" --explicit-ta "$PKI/tls-root.pem" --save-cacerts other.pem
    [ "$status" = 255 ]
    [[ $output == *"with what --save-cacerts would write: the server's certificate does not verify"* ]]
    [ ! -e other.pem ]
    run est-enroll renew --check "${again[@]}" --explicit-ta saved.pem --metrics-file m.prom
    [ "$status" = 255 ]
    [[ $output == *"the server's certificate does not verify"* ]]
    [ ! -e m.prom ] # nothing was due
    run est-enroll renew --check "${again[@]}" --explicit-ta saved.pem --before 100000h --metrics-file m.prom
    [ "$status" = 255 ]
    grep -q acme_certificate_expires_timestamp_seconds m.prom

    root_lines "root = \"$CA_ROOT\"" 'anchors = "tls-root.pem"'
    checked | grep -q '^ok cacerts: clients that trust only these anchors accept the certificate in \[tls\]'
    reload
    est-enroll run "${first[@]}" --new-key auto --key-out dev2.key --save-cacerts saved.pem -o dev2.pem 2>err
    [ ! -s err ]
    local orders
    orders=$(requests newOrder)
    again=(--server "$server" --cert dev2.pem --key dev2.key --explicit-ta saved.pem --save-cacerts saved.pem)
    run est-enroll renew --check "${again[@]}"
    [ "$status" = 1 ]
    run est-enroll renew --check --before 100000h "${again[@]}"
    [ "$status" = 0 ]
    cp dev2.key kept.key
    run est-enroll renew --check --before 100000h --new-key ec:P-384 "${again[@]}"
    [ "$status" = 0 ]
    cmp dev2.key kept.key
    [ "$(find . -maxdepth 1 -name '*.journal' | wc -l)" = 0 ]
    [ "$(requests newOrder)" = "$orders" ] # up to the request
    est-enroll renew --before 100000h "${again[@]}" -o dev2.pem
    [ "$(requests newOrder)" = $((orders + 1)) ]
    # Others that took what /cacerts has: curl, strongSwan.
    cas_of cas.pem --cacert saved.pem
    openssl verify -CAfile cas.pem dev2.pem
    pki --estca --url "$server" --cacert "$PKI/tls-root.pem" --caout swan.pem --outform pem --force
    [ "$(find . -maxdepth 1 -name 'swan*.pem' | wc -l)" = 3 ]
    # The server is away: also a finding now.
    kill "$RELAY_PID"
    wait "$RELAY_PID"
    run est-enroll renew --check "${again[@]}"
    [ "$status" = 255 ]
}

# readme_block LANGUAGE PATTERN: the first block of code in README.md that matches.
readme_block() {
    awk -v language="$1" -v pattern="$2" '
        /^```/ { if (inside && hit) { printf "%s", text; exit } inside = ($0 == "```" language); text = ""; hit = 0; next }
        inside { text = text $0 "\n"; if ($0 ~ pattern) hit = 1 }' "$ROOT/README.md"
}

@test "FLD-U2: README's relay.toml and its two commands: what the first saved renews by the second" {
    start_authority
    cd "$PKI"
    cp maker.pem manufacturer.pem
    cp tls-root.pem ra-root.pem
    cp tls-root.pem boot.pem
    cp "$CA_ROOT" root.pem
    cp "$TSIG_KEY" tsig.key
    cp device0001.pem idevid.pem
    cp device0001.key idevid.key
    sed "s|\"acct.json\"|\"$ACCOUNT\"|" <(readme_block toml '^# relay.toml') >readme.toml
    RELAY_PORT=$(free_port) RELAY_ADMIN_PORT=$(free_port)
    sed -e "s|^est = .*|est = \"127.0.0.1:$RELAY_PORT\"\nadmin = \"127.0.0.1:$RELAY_ADMIN_PORT\"|" \
        -e "s|\"ns.domain.com\"|\"$DNS_SERVER\"|" readme.toml >relay.toml
    run checked
    [[ $output == *"ok cacerts: clients that trust only these anchors accept"* ]]
    start_relay "$PKI"
    readme_block sh '^est-enroll run' | sed "s|ra.example:8443|127.0.0.1:$RELAY_PORT|" >commands
    grep -q '^est-enroll renew .*--check' commands
    # Weeks later: the certificate is due.
    sed -i 's|^est-enroll renew|& --before 100000h|' commands
    bash -e <(sed 's|^est-enroll renew|rm -f boot.pem\n&|' commands) 2>err
    [[ $(cat err) == 'est-enroll: dev.pem: renewed, valid until '* && $(wc -l <err) = 1 ]]
    [ "$(requests newOrder)" = 2 ]
    [ "$(openssl x509 -in dev.pem -noout -ext subjectAltName | tail -n 1 | xargs)" = DNS:device0001.iot.domain.com ]
}
