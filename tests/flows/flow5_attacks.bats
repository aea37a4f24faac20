#!/usr/bin/env bats
# Flow 5 under attack: a MASA that lies, a registrar that is none, devices that may not. All of it fails closed.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/relay
load ../lib/est
load ../lib/brski

CMS=application/voucher-cms+json

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    make_flow5
    no_ca
}

teardown() {
    stop_all
}

holds() { # FILTER: of what the script was asked
    jq -se "$1" "$EST_DIR/log"
}

@test "BRR-11b, BRR-11d, SEC-06: a MASA that lies, redirects or answers too much gives no voucher and no EST" {
    script lies liar
    MASA_PORT=${EST_URL##*:}
    rm pledgeid.pem pledgeid.key
    make_pledge "$MAKER" pledgeid
    # This MASA knows its registrars by their certificates.
    issue known /CN=known-registrar foreign extendedKeyUsage=clientAuth
    configure
    echo "masa_certificate = \"$PWD/known.pem\"" >>"$PKI/relay.toml"
    start_relay "$PKI"
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
    other=$(openssl x509 -in "$MAKER/vendor.pem" -outform DER | base64 -w0)
    refused() { # WORDS
        ask one
        [ "$STATUS" = 403 ] || { echo "$STATUS: $1" && false; }
        grep -q "$1" answer
        [ "$(est_code csrattrs)" = 403 ]
    }
    lie() { # JQ-EXPRESSION WORDS
        request one
        make_voucher lie "$(voucher_json one | jq -c "$1")"
        rules "$(answers lie)"
        refused "$2"
    }
    lie '."ietf-voucher:voucher".nonce = "AAAAAAAAAAAAAAAAAAAAAA=="' 'another nonce'
    cp lie replayed
    lie 'del(."ietf-voucher:voucher".nonce)' nonceless
    lie '."ietf-voucher:voucher"."serial-number" = "another"' 'is for another'
    lie ".\"ietf-voucher:voucher\".\"pinned-domain-cert\" = \"$other\"" 'pins another domain'
    lie 'del(."ietf-voucher:voucher"."pinned-domain-cert")' 'no pinned-domain-cert'
    request one
    rules "$(answers replayed)"
    refused 'another nonce'
    request one
    voucher_json one >plain
    rules "$(answers plain)"
    refused 'signed voucher'
    request one
    make_voucher right "$(voucher_json one)"
    rules "$(answers right text/html)"
    refused 'no voucher'
    request one
    head -c 200000 /dev/zero >huge
    rules "$(answers huge)"
    refused 'too large'
    request one
    rules "{\"requestvoucher\": [{\"status\": 307, \"headers\": {\"Location\": \"$EST_URL/elsewhere\"}}]}"
    refused 'answered 307'
    request one
    rules '{"requestvoucher": [{"status": 401, "body": "who are you?"}]}'
    refused 'who are you'
    grep '"level":"warning"' "$PKI/relay.log" | grep -q 'answered 401: who are you'

    # The voucher is right, the log is not.
    bad_log() { # RULE WORDS
        request one
        make_voucher right "$(voucher_json one)"
        rules "$(answers right | jq -c --argjson log "$1" '.requestauditlog = [$log]')"
        refused "$2"
    }
    bad_log '{"body": "{}"}' 'audit log'
    bad_log '{"body": "{\"version\":1,\"events\":[]}"}' 'not in it'
    bad_log '{"status": 404}' 'answered 404'
    bad_log '{"status": 201, "headers": {"Location": "https://169.254.169.254/log"}}' elsewhere
    device_is refused
    holds 'all(.client | contains("known-registrar"))'
    [ "$(asked '[.[].operation] | unique')" = "$(jq -n '["requestauditlog", "requestvoucher"]')" ]
}

@test "BRR-02a, BRR-02b, BRR-02c: the serial number comes from the field that the manufacturer's IDevIDs have it in" {
    no_ca
    start_masa "$MAKER" --serial-from commonName
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -subj "/O=Maker/CN=pledgeid" 2>/dev/null |
        openssl x509 -req -CA "$MAKER/vendor.pem" -CAkey "$MAKER/vendor.key" -days 3 -out other.pem 2>/dev/null
    for name in pledgeid unlisted; do
        printf '{"ietf-voucher-request:voucher":{"assertion":"proximity","serial-number":"%s","nonce":"AAAAAAAAAAAAAAAA","proximity-registrar-cert":"%s"}}' \
            "$name" "$(openssl x509 -in "$PKI/ra.pem" -outform DER | base64 -w0)" >"$name.json"
        openssl cms -sign -binary -nodetach -in "$name.json" -signer other.pem -inkey other.key -outform DER \
            -econtent_type 1.2.840.113549.1.9.16.1.40 -out "$name.request"
    done
    registrar 'wait = "20s"'
    CERT=other ask pledgeid.request
    [ "$STATUS" = 403 ] # no serialNumber
    printf 'serial_from = ["UID", "commonName"]\nmasa_url = "%s"\n' "$MASA" >>"$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q reloaded "$PKI/relay.log"
    CERT=other ask unlisted.request
    [ "$STATUS" = 403 ]
    CERT=other ask pledgeid.request
    [ "$STATUS" = 200 ]
    device_is forwarded pledgeid
    sed -i 's/"UID", "commonName"/"the label"/' "$PKI/relay.toml"
    run --separate-stderr est-relay check --config "$PKI/relay.toml"
    [ "$status" -eq 78 ]
    [[ $stderr == *serial_from*"the label"* ]]
}

@test "BRR-11c, SEC-09: a MASA that wants a password gets it from the file, and no log or trace does" {
    no_ca
    : >login
    run --separate-stderr brski-masa serve --dir "$MAKER" --listen 127.0.0.1:0 --credentials login
    [ "$status" -eq 78 ]
    [[ $stderr == *"login: not one line user:password"* ]]
    echo 'registrar:canary-5f1c' >login
    start_masa "$MAKER" --credentials login
    registrar 'wait = "20s"'
    request one
    ask one
    [ "$STATUS" = 403 ]
    grep -q "MASA answered 401" answer
    echo 'registrar:wrong-5f1c' >other
    echo "masa_credentials = \"$PWD/other\"" >>"$PKI/relay.toml"
    kill -HUP "$RELAY_PID"
    wait_for 10 grep -q reloaded "$PKI/relay.log"
    request two
    ask two
    [ "$STATUS" = 403 ]
    cp login other
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    RELAY_TRACE=$PWD/trace start_relay "$PKI"
    request three
    ask three
    [ "$STATUS" = 200 ]
    [ "$(masa_events pledgeid)" = 1 ]
    run grep -rl -e canary-5f1c -e wrong-5f1c -e "$(printf 'registrar:canary-5f1c' | base64)" "$PKI" "$MAKER" trace answer headers
    [ "$status" -ne 0 ]
}

@test "BRR-11a, SEC-06: a MASA with another certificate or name is not asked; SIGHUP mends it" {
    start_masa "$MAKER"
    registrar 'wait = "300ms"'
    reload() { # SED-EXPRESSION
        sed -i "$1" "$PKI/relay.toml"
        : >"$PKI/relay.log"
        kill -HUP "$RELAY_PID"
        wait_for 10 grep -q '"reloaded"' "$PKI/relay.log"
    }
    cp "$PKI/relay.toml" good.toml
    reload "s|^masa_ca = .*|masa_ca = \"$PKI/tls-root.pem\"|"
    request one
    ask one
    [ "$STATUS" = 202 ]
    reload "s|^masa_ca = .*|masa_ca = \"$MAKER/vendor.pem\"|; s|^masa_hosts = .*|masa_url = \"localhost:$MASA_PORT\"|"
    request one
    ask one
    [ "$STATUS" = 202 ]
    [ "$(masa_events pledgeid)" = 0 ]
    # What was allowed when the device asked is not any more.
    ask one
    [ "$STATUS" = 202 ]
    cp good.toml "$PKI/relay.toml"
    reload ''
    wait_for 10 device_is refused
    request one
    brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" <one >voucher
    [ "$(masa_events pledgeid)" = 1 ]
    # A second manufacturer comes and goes, and the first stays.
    brski-masa make-idevid --dir two --serial second --key-out second.key -o second.pem
    CERT=second ask one
    [ "$STATUS" = 404 ]
    sed -i "/^\[clients.idevid\]/,/^\[/s|^trust = .*|trust = [\"$MAKER/vendor.pem\", \"$PWD/two/vendor.pem\"]|" "$PKI/relay.toml"
    cp "$PKI/relay.toml" one.toml
    printf '[[manufacturer]]\nname = "two"\ntrust = ["%s"]\nmasa_hosts = ["masa.example.com"]\n' "$PWD/two/vendor.pem" >>"$PKI/relay.toml"
    reload ''
    CERT=second ask one
    [ "$STATUS" = 403 ] # not in the inventory
    cp one.toml "$PKI/relay.toml"
    reload ''
    CERT=second ask one
    [ "$STATUS" = 404 ]
    # So do the last one and the first, with all that is known of their devices.
    sed -i '/^\[\[manufacturer\]\]/,$d' "$PKI/relay.toml"
    reload ''
    ask one
    [ "$STATUS" = 404 ]
    est_code csrattrs | grep -qx 200
    cp one.toml "$PKI/relay.toml"
    reload ''
    device_is forwarded
    request again
    again_is_answered() { ask again && [ "$STATUS" = 200 ]; }
    wait_for 20 again_is_answered
    [ "$(masa_events pledgeid)" = 2 ]
}

answers_with() { # STATUS
    ask one
    [ "$STATUS" = "$1" ]
}

@test "BRR-14a, SEC-04: no voucher for a blocked device, and no EST before the voucher was fetched or once blocked" {
    start_masa "$MAKER" --delay 2s
    registrar 'wait = "100ms"'
    est-relay block --config "$PKI/relay.toml" pledgeid
    request one
    ask one
    [ "$STATUS" = 403 ]
    [ "$(masa_events pledgeid)" = 0 ]
    est-relay unblock --config "$PKI/relay.toml" pledgeid
    wait_for 10 answers_with 202
    wait_for 10 device_is ready
    [ "$(est_code csrattrs)" = 403 ]
    ask one
    [ "$STATUS" = 200 ]
    [ "$(est_code csrattrs)" = 200 ]
    est-relay block --config "$PKI/relay.toml" pledgeid
    [ "$(est_code csrattrs)" = 403 ]
    ask one
    [ "$STATUS" = 403 ]
    # The device's own verdict on its voucher counts, too.
    est-relay unblock --config "$PKI/relay.toml" pledgeid
    wait_for 10 answers_with 200
    echo '{"version":1,"status":false}' >no
    post voucher_status no application/json
    [ "$STATUS" = 200 ]
    [ "$(est_code csrattrs)" = 403 ]
}

@test "SEC-16: a MASA that wants a password reads nothing of who has none" {
    echo registrar:secret >login
    start_masa "$MAKER" --credentials login
    junk() { # [CURL OPTION...]
        STATUS=$(curl -s --cacert "$MAKER/vendor.pem" -o /dev/null -w '%{http_code}' -H "Content-Type: $CMS" --data-binary junk \
            "$@" "https://$MASA/.well-known/brski/requestvoucher")
    }
    junk
    [ "$STATUS" = 401 ]
    for login in registrar:wrong nobody:secret registrar: :secret; do
        junk -u "$login"
        [ "$STATUS" = 401 ]
    done
    junk -u registrar:secret
    [ "$STATUS" = 400 ]
}

@test "SEC-29: no voucher where the MASA's database was replaced, nor where the registrar's was, until it is back" {
    only_sqlite
    start_masa "$MAKER"
    registrar
    request one
    cp "$MAKER/masa.db" masa.backup
    mv "$MAKER/masa.db" masa.away
    cp masa.backup "$MAKER/masa.db"
    ask one
    [[ $STATUS != 200 ]]
    wait_for 10 grep -q 'masa.db was replaced' "$MAKER/masa.log"
    [ "$(status_of_device)" != ready ]
    mv masa.away "$MAKER/masa.db"
    wait_for 30 answers_with 200

    mv "$PKI/relay.db" relay.away
    ask one
    [ "$STATUS" = 503 ]
    grep -qi '^retry-after: [1-9]' headers
    request two
    ask two
    [ "$STATUS" = 503 ]
    [ "$(curl -s -o ready -w '%{http_code}' "$RELAY_ADMIN/readyz")" = 503 ]
    [ "$(masa_events pledgeid)" = 1 ]
    mv relay.away "$PKI/relay.db"
    wait_for 30 answers_with 200
}

@test "BRP-10d: a registrar with another certificate than before gets no enrolment, in one run or step by step" {
    start_masa "$MAKER"
    sed -i 's/^exec/sleep 3; exec/' "$PKI/issue"
    configure
    sed -i '/^\[est\]/,/^\[/s/^retry_after = .*/retry_after = "20s"/' "$PKI/relay.toml"
    start_relay "$PKI"
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
    request one
    cp "$PKI/ra.pem" old.pem
    pledge_run --registrar "$REGISTRAR" --json -v -o new.pem >told 2>errors &
    pledge=$!
    wait_for 20 grep -q 'simpleenroll: the server answered 202' errors
    kill -9 "$RELAY_PID"
    wait "$RELAY_PID" || true
    make_registrar_tls "$PKI"
    start_relay "$PKI"
    status=0
    wait "$pledge" || status=$?
    [ "$status" -eq 77 ] || { echo "$status" && cat told errors && false; }
    [ "$(jq -r .code told)" = registrarChanged ]
    [ ! -e new.pem ]
    run --separate-stderr brski-pledge requestvoucher "${PLEDGE[@]}" --registrar "$REGISTRAR" --json <one
    [ "$status" -eq 77 ]
    [ "$(jq -r .code <<<"$output")" = registrarChanged ]
    run brski-pledge voucher-status "${PLEDGE[@]}" --registrar "$REGISTRAR" --registrar-cert old.pem
    [ "$status" -eq 77 ]
}

# refused EXIT CODE RULES [OPTION...]: a pledge refuses the script.
refused() {
    rules "$3"
    run --separate-stderr pledge_run --registrar "$EST_URL" --json "${@:4}"
    [ "$status" -eq "$1" ] || { echo "$output" && false; }
    [ "$(jq -r .code <<<"$output")" = "$2" ]
    [ ! -e new.key ]
}

# nonceless NAME CERTIFICATE: a voucher that pins it, good for any request of pledgeid.
nonceless() {
    request one
    make_voucher "$1" "$(voucher_json one "$2" | jq -c 'del(."ietf-voucher:voucher".nonce)')"
}

@test "BRP-02e, BRP-09a, BRP-09b: what a hostile registrar says to a pledge counts for nothing, and it learns nothing" {
    script hostile hostile
    echo '{"ietf-voucher:voucher":{"serial-number":"pledgeid"}}' >plain
    head -c 200000 /dev/zero >huge
    request one # a voucher for a request of another time
    make_voucher replayed "$(voucher_json one hostile.pem)"
    make_pledge "$MAKER" second # its maker's CA signed it, too, but it is no MASA
    make_voucher foreign "$(voucher_json one hostile.pem)" second
    refused 77 form "$(answers plain)"
    refused 77 form "$(answers huge)"
    refused 77 nonce "$(answers replayed)"
    refused 77 signer "$(answers foreign)"
    # Nothing but voucher-requests and the verdict, which does not say what was wrong.
    [ "$(asked '[.[].operation] | unique')" = "$(jq -n '["requestvoucher", "voucher_status"]')" ]
    holds '[.[] | select(.operation == "voucher_status") | .body] | length == 4 and (unique | length == 1)'
    holds '[.[] | select(.operation == "voucher_status")] | all(.method == "POST" and .path == "/.well-known/brski/voucher_status" and .headers."Content-Type" == "application/json")'
    holds '[.[] | select(.operation == "voucher_status") | .body | fromjson] | all(. == {"version": 1, "status": false, "reason": "voucher not accepted"})'
    refused 76 badReply "$(answers plain text/html)"
    head -c 2000000 /dev/zero >huge
    refused 76 bodyTooLarge "$(answers huge)"
    refused 77 unauthorized '{"requestvoucher": [{"status": 401}]}'
}

@test "BRP-01a, BRP-01b, BRP-01d: a pledge's request, as a registrar gets it: path, media type, Accept" {
    script asked asked
    refused 77 unauthorized '{"requestvoucher": [{"status": 401}]}'
    holds 'length == 1 and .[0].method == "POST" and .[0].path == "/.well-known/brski/requestvoucher"'
    holds '.[0].headers."Content-Type" == "application/voucher-cms+json" and .[0].headers.Accept == "application/voucher-cms+json"'
}

@test "BRP-01c, BRP-02b, BRP-05: the request is DER, the client certificate the IDevID, and one redirect is followed" {
    script asked asked
    refused 76 tooManyRedirects "{\"requestvoucher\": [{\"status\": 307, \"headers\": {\"Location\": \"$EST_URL/a/requestvoucher\"}}]}"
    refused 76 redirectLoop "{\"requestvoucher\": [{\"status\": 307, \"headers\": {\"Location\": \"$EST_URL/.well-known/brski/requestvoucher\"}}]}"
    holds '[.[] | select(.path == "/a/requestvoucher")] | length == 1'
    holds 'all(.client | contains("pledgeid"))'
    jq -rj 'select(.path == "/a/requestvoucher") | .body' "$EST_DIR/log" | iconv -f UTF-8 -t ISO-8859-1 >body
    openssl cms -verify -noverify -inform DER -in body -out body.json 2>/dev/null
    jq -e '."ietf-voucher-request:voucher"."serial-number" == "pledgeid"' body.json
}

@test "BRP-02a: a pledge connects by TLS 1.2, and not by TLS 1.1" {
    permit_old_tls weak.cnf
    # serve VERSION: a registrar that has this version of TLS; OpenSSL itself would use it. Sets PORT.
    serve() {
        PORT=$(free_port)
        OPENSSL_CONF=weak.cnf openssl s_server -accept "127.0.0.1:$PORT" -cert "$PKI/ra.pem" -key "$PKI/ra.key" "-$1" -www \
            >/dev/null 2>&1 3>&- &
        STARTED+=("$!")
        wait_for 10 eval "ss -Hltn 'sport = :$PORT' | grep -q ."
        OPENSSL_CONF=weak.cnf openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null >connected
        grep -q "^New, ${1/tls1_/TLSv1.}\|Protocol *: ${1/tls1_/TLSv1.}" connected
    }
    serve tls1_1
    OPENSSL_CONF=weak.cnf run --separate-stderr pledge_run --registrar "https://127.0.0.1:$PORT" --json
    [ "$status" -eq 69 ]
    [ "$(jq -r .code <<<"$output")" = tls ]
    serve tls1_2
    OPENSSL_CONF=weak.cnf run --separate-stderr pledge_run --registrar "https://127.0.0.1:$PORT" --json
    [ "$(jq -r .code <<<"$output")" != tls ]
}

@test "BRP-02c, BRP-02d, BRP-08c: a registrar that nobody knows is heard, and left if the voucher pins another" {
    make_new_pki "$PWD/elsewhere"
    cp elsewhere/ra.pem unknown.pem
    cp elsewhere/ra.key unknown.key
    cp "$MAKER/vendor.pem" ca.pem
    cp "$MAKER/vendor.key" ca.key
    cp ca.pem foreign.pem
    start_est unknown unknown
    nonceless another "$PKI/ra.pem"
    nonceless right unknown.pem
    refused 77 registrar "$(answers another)" --nonceless
    [ "$(asked '[.[].operation]')" = "$(jq -n '["requestvoucher", "voucher_status"]')" ]
    # The same registrar, which the voucher pins, is asked for more.
    refused 77 nonce "$(answers right)"
    rules "$(answers right)"
    run pledge_run --registrar "$EST_URL" --nonceless
    holds 'any(.operation == "cacerts")'
}

# vouched FILE RULES [MEMBERS]: the script answers with this voucher (MEMBERS: of the rule for it), and enrols the pledge.
vouched() {
    openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out cacerts.p7
    make_csrattrs pledgeid.example.org
    rules "$(answers "$1" | jq -c '.requestvoucher[0] += $more | . + {voucher_status: [{}], cacerts: [{base64: "cacerts.p7"}],
        csrattrs: [{base64: "attributes.der"}], enrollstatus: [{}]} + $rules' --argjson more "${3:-{\}}" --argjson rules "$2")"
}

@test "BRP-10a, BRP-10b, BRP-10c: after the voucher come cacerts, csrattrs and enrolment, on the connection that is there" {
    script registrar registrar
    nonceless right registrar.pem
    vouched right '{"simpleenroll": [{"sign": true}]}'
    pledge_run --registrar "$EST_URL" --nonceless -o new.pem
    openssl verify -CAfile ca.pem new.pem
    [ "$(asked '[.[] | select(.operation != "enrollstatus") | .operation]')" = \
        "$(jq -n '["requestvoucher", "voucher_status", "cacerts", "csrattrs", "simpleenroll"]')" ]
    holds '[.[] | select(.operation != "enrollstatus") | .connection] | unique | length == 1'
}

@test "BRP-10d, BRP-11a, BRP-11c: a new connection is between the same two, and tells of a failure on the old one" {
    script registrar registrar
    nonceless right registrar.pem
    vouched right '{"simpleenroll": [{"status": 400}]}' '{"close": true}'
    run pledge_run --registrar "$EST_URL" --nonceless -o new.pem
    [ "$status" -eq 77 ]
    # The server closed the first after the voucher; all else is on the second.
    holds 'group_by(.operation == "requestvoucher") | map([.[].connection] | unique) | all(length == 1) and .[0] != .[1]'
    holds 'all(.client | contains("pledgeid"))'
    holds '.[-1] | .operation == "enrollstatus" and .path == "/.well-known/brski/enrollstatus" and (.body | fromjson | .version == 1 and .status == false)'
}

@test "INT-27: a MASA that hangs delays nobody" {
    MASA_PORT=$(free_port)
    python3 -c "import socket, time; server = socket.create_server(('127.0.0.1', $MASA_PORT)); time.sleep(600)" 3>&- &
    STARTED+=("$!")
    rm pledgeid.pem pledgeid.key
    make_pledge "$MAKER" pledgeid
    configure 'wait = "60s"'
    sed -i "0,/^trust = .*/s||trust = [\"$MAKER/vendor.pem\", \"$PKI/maker.pem\"]|" "$PKI/relay.toml"
    start_relay "$PKI"
    REGISTRAR="https://127.0.0.1:$RELAY_PORT"
    request one
    for _ in 1 2 3 4 5 6 7 8; do
        curl -s --cacert "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key -o /dev/null --max-time 60 \
            -H "Content-Type: $CMS" --data-binary @one "$REGISTRAR/.well-known/brski/requestvoucher" 3>&- &
        STARTED+=("$!")
    done
    wait_for 10 device_is asking
    make_csr device0001.domain.com csr
    enrol device0001 simpleenroll csr
    [ "$STATUS" = 200 ]
    device_is asking
    kill -9 "$RELAY_PID" # it would wait for its answers
}

# key_identifier CERTIFICATE: its subjectKeyIdentifier in hexadecimal.
key_identifier() {
    openssl x509 -in "$1" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :'
}

# fingerprint CERTIFICATE
fingerprint() {
    openssl x509 -in "$1" -noout -fingerprint -sha256 | cut -d = -f 2
}

# make_thief DIR: a registrar under a CA, with the names and key identifiers of the owner's in PKI.
make_thief() {
    mkdir -p "$1"
    printf 'basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=%s\n' "$(key_identifier "$PKI/tls-root.pem")" >"$1/ca.extensions"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/tls-root.key" -subj "/CN=TLS root" -out "$1/tls-root.csr" 2>/dev/null
    openssl x509 -req -in "$1/tls-root.csr" -signkey "$1/tls-root.key" -days 30 -out "$1/tls-root.pem" -extfile "$1/ca.extensions" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.28\nsubjectKeyIdentifier=%s\n' \
        "$(key_identifier "$PKI/ra.pem")" >"$1/ra.extensions"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/ra.key" -subj "/CN=registrar" 2>/dev/null |
        openssl x509 -req -CA "$1/tls-root.pem" -CAkey "$1/tls-root.key" -days 30 -out "$1/ra.pem" \
            -extfile "$1/ra.extensions" 2>/dev/null
    cp "$PKI"/{devices.csv,maker.pem,users} "$1/"
}

restart_masa() { # [OPTION...]
    kill "$MASA_PID"
    wait "$MASA_PID" || true
    start_masa "$MAKER" "$@"
}

@test "SEC-13, BRM-06: a registrar with the owner's key identifiers gets no voucher and reads no audit log" {
    only_sqlite
    local owner=$PWD/pki thief=$PWD/thief by pin
    make_thief "$thief"
    [ "$(key_identifier "$thief/ra.pem")" = "$(key_identifier "$owner/ra.pem")" ]
    [ "$(key_identifier "$thief/tls-root.pem")" = "$(key_identifier "$owner/tls-root.pem")" ]
    for dir in "$owner" "$thief"; do cat "$dir/tls-root.pem" >>"$dir/ra.pem"; done
    start_masa "$MAKER"
    registrar
    request one
    ask one
    [ "$STATUS" = 200 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true

    # The thief has the device: its request names the thief's registrar.
    PKI=$thief
    no_ca
    registrar
    for pin in domain registrar; do
        for by in file certificate key; do
            local pinned=$owner/tls-root.pem
            [ "$pin" = domain ] || pinned=$owner/ra.pem
            openssl x509 -in "$pinned" -out owner.pem
            openssl x509 -in "$pinned" -noout -pubkey | openssl pkey -pubin -outform DER -out key.der
            case $by in
                file) echo 'pledgeid,owner.pem' ;;
                certificate) echo "pledgeid,$(fingerprint "$pinned")" ;;
                key) echo "pledgeid,$(openssl dgst -sha256 -r key.der | cut -d ' ' -f 1)" ;;
            esac >owners
            restart_masa --owners owners --owners-only --pin "$pin"
            request two
            ask two
            [ "$STATUS" = 403 ] || { echo "$pin $by: $STATUS" && false; }
            grep -q 'another domain' answer
        done
    done
    [ "$(masa_events pledgeid)" = 1 ]

    # The log is for those whom a voucher in it names.
    restart_masa
    sqlite "$thief/relay.db" "SELECT hex(registrar_request) FROM brski_devices" | basenc --base16 --decode >signed
    STATUS=$(curl -s --cacert "$MAKER/vendor.pem" -o answer -w '%{http_code}' -H "Content-Type: $CMS" --data-binary @signed \
        "https://$MASA/.well-known/brski/requestauditlog")
    [ "$STATUS" = 404 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true

    # The owner itself is served, whichever way it is listed.
    PKI=$owner
    no_ca
    openssl x509 -in "$owner/tls-root.pem" -out owner.pem
    echo 'pledgeid,owner.pem' >owners
    restart_masa --owners owners --owners-only
    registrar
    request three
    ask three
    [ "$STATUS" = 200 ]
    [ "$(masa_events pledgeid)" = 2 ]
}

@test "SEC-13: an audit log's entry in the name of this domain is this registrar's only if it asked for it" {
    only_sqlite
    start_masa "$MAKER"
    registrar
    request one
    ask one
    [ "$STATUS" = 200 ]
    # Both stores as an earlier version left them.
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    sqlite3 "$PKI/relay.db" 'DROP TABLE brski_nonces'
    sqlite "$MAKER/masa.db" 'ALTER TABLE masa_log DROP COLUMN key'
    restart_masa
    registrar
    for name in two three; do
        request "$name"
        ask "$name"
        [ "$STATUS" = 200 ]
    done
    # The nonces of earlier requests are known after a restart.
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    registrar
    request four
    ask four
    [ "$STATUS" = 200 ]
    own=$(sqlite "$MAKER/masa.db" 'SELECT DISTINCT domain FROM masa_log')
    [ "$(masa_events pledgeid)" = 4 ]
    # Another domain with the key identifier of this one had a voucher.
    sqlite "$MAKER/masa.db" "INSERT INTO masa_log (serial, date, domain, nonce, assertion) VALUES ('pledgeid', '2026-01-01T00:00:00Z', '$own', 'AAAAAAAAAAAAAAAAAAAAAA==', 'logged')"
    request five
    ask five
    [ "$STATUS" = 403 ]
    grep -q 'did not request it' answer
    [ "$(est_code csrattrs)" = 403 ]
    kill "$RELAY_PID"
    wait "$RELAY_PID" || true
    registrar "known_domains = [\"$own\"]"
    request six
    ask six
    [ "$STATUS" = 200 ]
}

@test "SEC-13: an owner list of key identifiers is refused and says what is needed instead" {
    for owner in "$(openssl x509 -in "$PKI/ra.pem" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :' | basenc --base16 --decode | base64)" \
        "$(key_identifier "$PKI/ra.pem")"; do
        echo "pledgeid,$owner" >owners
        run --separate-stderr brski-masa sign --dir "$MAKER" --owners owners </dev/null
        [ "$status" -eq 78 ]
        [[ $stderr == *owners:1:*SHA-256* ]]
        [[ $stderr == *'hint: '*'openssl x509 -noout -fingerprint -sha256'* ]]
    done
}

@test "SEC-14, ESTS-24a, BRR-14b: a device with its voucher cannot ask for more than is certified either" {
    start_masa "$MAKER"
    registrar
    request one
    ask one
    [ "$STATUS" = 200 ]
    openssl ecparam -name prime256v1 -genkey -noout -out greedy.key
    wants() { # OPTION...: of openssl req
        openssl req -new -key greedy.key -subj / "$@" -outform DER -out greedy.der
        openssl base64 -in greedy.der -out greedy
        STATUS=$(curl -s --cacert "$PKI/tls-root.pem" --cert pledgeid.pem --key pledgeid.key -o answer -w '%{http_code}' \
            -H 'Content-Type: application/pkcs10' --data-binary @greedy "$REGISTRAR/.well-known/est/simpleenroll")
    }
    wants -addext subjectAltName=DNS:pledgeid.domain.com -addext basicConstraints=CA:TRUE
    [ "$STATUS" = 400 ]
    grep -q 'CA:TRUE' answer
    # What csrattrs asks for is this name, neither another one nor none.
    wants -addext subjectAltName=DNS:another.domain.com
    [ "$STATUS" = 403 ]
    grep -q "this device's name is pledgeid.domain.com" answer
    wants
    [ "$STATUS" = 400 ]
    grep -q 'no subject alternative name' answer
    wants -addext subjectAltName=DNS:pledgeid.domain.com
    [ "$STATUS" = 202 ]
}
