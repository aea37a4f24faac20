#!/usr/bin/env bats
# Flow 6, "ACME Integration with TEAP", half-turn by half-turn with teap-enroll, teap-relay, acme-ca and Knot.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/ca
load ../lib/dns
load ../lib/relay
load ../lib/teap

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PKI=$PWD/pki
    make_pki "$PKI"
    make_idevid "$PKI" pledgeid
    echo pledgeid >>"$PKI/devices.csv"
    export RELAY_DOMAIN=domain.com
    start_authority
}

teardown() {
    stop_all
}

teap() { # LINE...: of [teap]
    write_teap_toml "$PKI" "$@"
    start_teap "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$TEAP_LOG"
}

names_in() { # CERTIFICATE
    openssl x509 -in "$1" -noout -ext subjectAltName | tail -n 1 | xargs
}

# half_turns FILE: what passed, in order, without sizes and the TLS handshake's own messages.
half_turns() {
    sed -n 's/ ([0-9]* octets)//g; s/^teap-enroll: [<>] //p' "$1" | grep -v '^TLS handshake'
}

@test "TEAP-04a, TEAP-06, TEAP-09a: the seed's half-turns under TLS 1.2 and 1.3, one order each" {
    teap
    local version
    for version in 1.2 1.3; do
        peer pledgeid --tls-version "$version" --new-key ec:P-256 --key-out "dev$version.key" -vv -o "dev$version.pem" 2>told
        diff - <(half_turns told) <<'END'
EAP-Request/Identity
EAP-Response/Identity anonymous
TEAP Start, Authority-ID
TLS ClientHello
{Crypto-Binding, Result=Success}
{Crypto-Binding, Result=Success}
{Request-Action(Status=Failure, Action=Process-TLV: PKCS#10, CSR-Attributes), CSR-Attributes}
{PKCS#10}
{PKCS#7, Result=Success}
{Result=Success}
EAP-Success
END
        [ "$(names_in "dev$version.pem")" = DNS:pledgeid.domain.com ]
        cmp <(openssl x509 -in "dev$version.pem" -noout -pubkey) <(openssl pkey -in "dev$version.key" -pubout)
        [ "$(grep -c BEGIN "dev$version.pem")" = 2 ] # the intermediate, too
        openssl verify -CAfile "$CA_ROOT" -untrusted "dev$version.pem" "dev$version.pem"
        [ "$(stat -c %a "dev$version.key")" = 600 ]
    done
    [ "$(requests newOrder)" = 2 ]
    [ "$(requests finalize)" = 2 ]

    # What was issued gets in, and nobody is asked to enrol.
    cp dev1.3.pem "$PKI/ldevid.pem"
    cp dev1.3.key "$PKI/ldevid.key"
    peer ldevid --expect accept
    run peer ldevid --expect enrol
    [ "$status" = 77 ]
    [ "$(requests newOrder)" = 2 ]
}

@test "TEAP-07a, TEAP-07b, TEAP-17a: another's name, one elsewhere and none at all are errors, and the CA hears nothing" {
    local name seen
    teap
    seen=$(wc -l <"$CA_LOG")
    openssl ecparam -genkey -name prime256v1 -noout -out own.key
    for name in other.domain.com pledgeid.elsewhere.com; do
        csr-build --key own.key --dns "$name" -o foreign.csr
        run peer pledgeid --csr foreign.csr
        [ "$status" = 77 ]
        [[ $output == *1024* ]]
    done
    openssl req -new -key own.key -subj / -outform DER -out nameless.csr
    run peer pledgeid --csr nameless.csr
    [ "$status" = 77 ]
    [[ $output == *1025* ]]
    grep -q 'the request has no subject alternative name' "$TEAP_LOG"
    [ "$(wc -l <"$CA_LOG")" = "$seen" ]
}

@test "SEC-01, SEC-02: a stranger, nobody and another's certificate stay outside" {
    teap
    openssl ecparam -genkey -name prime256v1 -noout -out own.key
    run peer stranger9999 --new-key ec:P-256 --key-out no.key
    [ "$status" = 77 ]
    [[ $output == *1004* ]]
    run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem"
    [ "$status" = 77 ]
    [[ $output == *1019* ]]
    # The CA's certificate for the same name, ordered by somebody else.
    csr-build --key own.key --dns pledgeid.domain.com -o own.csr
    acme-order run --account "$ACCOUNT" -o "$PKI/own.pem" <own.csr
    cp own.key "$PKI/own.key"
    run peer own
    [ "$status" = 77 ]
    [[ $output == *1020* ]]
    [ "$(requests newOrder)" = 1 ]
    [ ! -e no.key ]
}

@test "RAD-02a, RAD-03a, TEAP-02b: a wrong secret is silence, a server of another CA is refused by the peer" {
    teap
    echo wrong >wrong.secret
    run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file wrong.secret --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/pledgeid.pem" --key "$PKI/pledgeid.key" --retransmit 100ms
    [ "$status" = 69 ]
    [[ $output == *"shared secret"* ]]
    run teap-enroll --radius "127.0.0.1:$RADIUS_PORT" --secret-file "$PKI/secret" --ca-file "$PKI/maker.pem" \
        --cert "$PKI/pledgeid.pem" --key "$PKI/pledgeid.key"
    [ "$status" = 77 ]
    wait_for 5 grep -q '"event":"teap".*alert' "$TEAP_LOG"
    [ "$(requests newOrder)" = 0 ]
}

@test "TEAP-14b, TEAP-14c, TEAP-15: past the wait the peer comes back with the key it wrote down, and gets the same order's certificate" {
    set_fault processing=4
    teap 'hold = "1s"'
    status=0
    peer pledgeid --new-key ec:P-256 --key-out dev.key --tls-version 1.3 2>told || status=$?
    [ "$status" = 75 ]
    grep -q 'error 1026' told
    cp dev.key first.key # on disk before the CA learned of it
    jq -e '.asked and .csr and .keyFile == "dev.key" and .certificate == ""' dev.key.journal
    # The request is signed anew for a TLS 1.2 tunnel, and is the same one all the same.
    wait_for 60 grep -q '"resource":"certificate"' "$CA_LOG"
    peer pledgeid --new-key ec:P-256 --key-out dev.key --tls-version 1.2 -o dev.pem
    [ "$(names_in dev.pem)" = DNS:pledgeid.domain.com ]
    cmp dev.key first.key
    cmp <(openssl x509 -in dev.pem -noout -pubkey) <(openssl pkey -in dev.key -pubout)
    [ ! -e dev.key.journal ]
    [ "$(requests newOrder)" = 1 ]

    # Nothing is written over: neither what the device has now, nor a key that no journal knows.
    run peer pledgeid --new-key ec:P-256 --key-out next.key -o "$PKI/pledgeid.pem"
    [ "$status" = 64 ]
    run peer pledgeid --new-key ec:P-256 --key-out dev.key -o other.pem
    [ "$status" = 73 ]
    cmp dev.key first.key
    [ "$(requests newOrder)" = 1 ]
}

@test "TEAP-14a: while the CA works the server holds its answer, and the conversation ends with the certificate" {
    set_fault processing=2
    teap 'hold = "30s"'
    peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    [ "$(names_in dev.pem)" = DNS:pledgeid.domain.com ]
    [ "$(requests finalize)" = 1 ]
    (("$(requests order)" > 0)) # which the relay asked for while it was processing
    curl -sf "$TEAP_ADMIN/metrics" | grep -x 'acmetool_teap_sessions_total 1'
}

@test "TBR-07c: a peer that was told to come back sends the very same PKCS#10 in a new tunnel" {
    set_fault processing=30
    teap 'hold = "100ms"' 'pending = "retry-new-tunnel"'
    local run
    for run in 1 2; do
        status=0
        peer pledgeid --new-key ec:P-256 --key-out dev.key --tls-version 1.3 --json >deferred 2>told || status=$?
        [ "$status" = 75 ]
        grep -q 'error 2990' told
        jq -r .csrSha256 deferred >"csr$run"
    done
    grep -qx '[0-9a-f]\{64\}' csr1
    cmp csr1 csr2
    [ "$(requests newOrder)" = 1 ]
}

@test "TEAP-19b: teap-enroll: --show tlv,flow, --keylog, --no-identity-type, --expect, --pause, --count" {
    teap
    peer pledgeid --new-key ec:P-256 --key-out dev.key --tls-version 1.2 --show tlv,flow --keylog keys -o dev.pem 2>told
    grep -q 'Crypto-Binding (12, M), 76 octets: request, version 1, received version 1, flags 2, nonce [0-9a-f]*, MSK-MAC' told
    grep -q 'PKCS#10 (16), [0-9]* octets: for pledgeid.domain.com, key ec:P-256, with challengePassword' told
    grep -q 'certificate [0-9a-f]*, subject .*(pledgeid.domain.com), issuer' told
    grep -q '^ *|-*>|' told # an arrow of the ladder
    grep -q '^CLIENT_RANDOM ' keys
    [ "$(stat -c %a keys)" = 600 ]
    run peer pledgeid --show tls
    [ "$status" = 64 ]

    cp dev.pem "$PKI/ldevid.pem" && cp dev.key "$PKI/ldevid.key"
    peer ldevid --expect accept --tls-version 1.3 --show tlv 2>told
    grep -q 'Identity-Type (2), 2 octets: 2 (machine)' told
    peer ldevid --expect accept --tls-version 1.3 --show tlv --no-identity-type 2>told
    grep -q 'Crypto-Binding (12' told
    ! grep -q Identity-Type told || return 1

    # Enter leads from one half-turn to the next.
    mkfifo keyboard
    peer ldevid --expect accept --pause -vv <keyboard 2>paused &
    local waiting=$!
    exec 4>keyboard
    wait_for 10 grep -q '> EAP-Response/Identity' paused
    [ "$(curl -sf "$TEAP_ADMIN/metrics" | sed -n 's/^acmetool_teap_sessions_total //p')" = 3 ]
    ! grep -q 'TEAP Start' paused || return 1
    yes '' 2>/dev/null | head -n 50 >&4
    exec 4>&-
    wait "$waiting"
    grep -q '< EAP-Success' paused

    peer ldevid --count 4 --parallel 2 --expect accept -o load.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/load.json" <load.json
    jq -e '.ok == 4 and .enrolled == 0 and .failed == 0 and .milliseconds.p99 >= .milliseconds.p50' load.json
    run --separate-stderr peer ldevid --count 2 --expect enrol
    [ "$status" = 77 ]
    jq -e '.ok == 0 and .failures == {"notEnrolled": 2}' <<<"$output"
    run peer ldevid --count 2 --keylog keys
    [ "$status" = 64 ]
}

@test "FLD-U14: a TSIG key, RADIUS secret or TLS key that others can read is warned of by check, at the start, and by the clients" {
    write_teap_toml "$PKI"
    findings() { teap-relay check --config "$PKI/teap.toml" --json | jq -r '.findings[] | select(.message | test("accessible")) | .subject'; }
    [ -z "$(findings)" ]
    chmod 0644 "$TSIG_KEY" "$PKI/secret" "$PKI/ra.key"
    [ "$(findings | xargs)" = "tls dns client" ]
    start_teap "$PKI"
    local what
    for what in "\[tls\] key" "\[dns\] tsig_key" "\[client\] secret_file"; do
        grep -q "$what [^ ]*: accessible to other users (mode 0644); chmod 600" "$TEAP_LOG"
    done
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q reloaded "$TEAP_LOG"
    [ "$(grep -c 'tsig_key [^ ]*: accessible' "$TEAP_LOG")" = 2 ]
    peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem 2>told
    grep -q "warning: --secret-file $PKI/secret: accessible to other users" told
    run acme-preauth run --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" other.domain.com
    [ "$status" = 0 ]
    [[ "$output" == *"warning: --tsig-key $TSIG_KEY: accessible to other users"* ]]
}

@test "RAD-03a, SEC-09: status, metrics, reload and end; no secret in the log" {
    teap
    peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    teap-relay status --config "$PKI/teap.toml" --json | jq -e '.teap.accepts == 1 and .teap.enrolments == 1 and .teap.open == 0'
    curl -sf "$TEAP_ADMIN/metrics" | grep -x 'acmetool_teap_accepts_total 1'
    curl -sf "$TEAP_ADMIN/readyz"
    teap-relay check --config "$PKI/teap.toml"
    echo other-secret >"$PKI/secret"
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q reloaded "$TEAP_LOG"
    cp dev.pem "$PKI/ldevid.pem" && cp dev.key "$PKI/ldevid.key"
    peer ldevid
    kill "$TEAP_PID"
    wait "$TEAP_PID"
    ! grep -E 'radius-secret|other-secret' "$TEAP_LOG" || return 1

    # The authorization is known from before; who waits for the log learns of it, too.
    : >"$TEAP_LOG"
    start_teap "$PKI"
    wait_for 20 grep -q '"event":"authorization".*"status":"valid"' "$TEAP_LOG"
    [ "$(requests newAuthz)" = 1 ]
}

@test "RAD-03b: SIGHUP with a client's secret that cannot be used changes nothing, nor the EST certificate" {
    local port before
    port=$(free_port)
    write_teap_toml "$PKI"
    sed -i "s|^\[listen\]|&\nest = \"127.0.0.1:$port\"|" "$PKI/teap.toml"
    start_teap "$PKI"
    served() { openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
    before=$(served)
    [ -n "$before" ]
    make_tls "$PKI"
    : >"$PKI/secret"
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q 'not reloaded, .*secret holds no secret' "$TEAP_LOG"
    [ "$(served)" = "$before" ]
    echo radius-secret >"$PKI/secret"
    peer pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$TEAP_LOG"
    [ "$(served)" != "$before" ]
}

@test "RAD-07: eapol_test, which has no TEAP, gets a clean Nak and Reject" {
    command -v eapol_test >/dev/null || skip "no eapol_test"
    teap
    cat >peap.conf <<END
network={
    key_mgmt=WPA-EAP
    eap=TLS
    identity="device"
    ca_cert="$PKI/tls-root.pem"
    client_cert="$PKI/pledgeid.pem"
    private_key="$PKI/pledgeid.key"
}
END
    run timeout 60 eapol_test -c peap.conf -a 127.0.0.1 -p "$RADIUS_PORT" -s radius-secret -t 10
    [ "$status" != 0 ]
    [[ $output == *"code=3"* ]] # Access-Reject
    [[ $output == *"EAP: Received EAP-Failure"* ]]
    wait_for 5 grep -q 'does not support TEAP' "$TEAP_LOG"
}

# start_proxy [LINE...]: FreeRADIUS in front of teap-relay, LINEs in its home_server; sets PROXY_PORT.
start_proxy() {
    PROXY_PORT=$(free_port)
    mkdir proxy
    cat >proxy/radiusd.conf <<END
raddbdir = $PWD/proxy
logdir = $PWD/proxy
run_dir = $PWD/proxy
libdir = /usr/lib/freeradius
pidfile = $PWD/proxy/pid
max_request_time = 60
proxy_requests = yes
log {
    destination = stdout
}
security {
    allow_core_dumps = no
}
thread pool {
    start_servers = 1
    max_servers = 4
}
client nas {
    ipaddr = 127.0.0.1
    secret = nas-secret
    require_message_authenticator = yes
}
proxy server {
    default_fallback = no
}
home_server teap {
    type = auth
    ipaddr = 127.0.0.1
    port = $RADIUS_PORT
    secret = radius-secret
$(printf '    %s\n' "$@")
}
home_server_pool teap {
    home_server = teap
}
realm teap {
    auth_pool = teap
    nostrip
}
modules {
}
server default {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = $PROXY_PORT
    }
    authorize {
        update control {
            Proxy-To-Realm := "teap"
        }
    }
    authenticate {
    }
}
END
    freeradius -f -d "$PWD/proxy" -n radiusd -l stdout >proxy/log 2>&1 &
    STARTED+=("$!")
    echo nas-secret >nas.secret
    wait_for 20 bash -c "ss -Hlun 'sport = :$PROXY_PORT' | grep -q ."
}

# through_proxy DEVICE [OPTION...]: as peer does, but by the proxy.
through_proxy() {
    local device=$1
    shift
    teap-enroll --radius "127.0.0.1:$PROXY_PORT" --secret-file nas.secret --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/$device.pem" --key "$PKI/$device.key" "$@"
}

@test "RAD-03a, RAD-05a: the same through FreeRADIUS as a proxy" {
    command -v freeradius >/dev/null || skip "no freeradius"
    teap
    start_proxy 'response_window = 40' 'status_check = none'
    through_proxy pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    [ "$(names_in dev.pem)" = DNS:pledgeid.domain.com ]
}

# ask WHERE CODE SECRET [ATTRIBUTE...]: the answer's code as radclient prints it, which takes a reject for a failure.
ask() {
    local where=$1 code=$2 secret=$3
    shift 3
    printf '%s\n' "$@" | radclient -x -r 1 -t "${PATIENCE:-30}" "$where" "$code" "$secret" >answer 2>&1 || true
    sed -n 's/^Received \([A-Za-z-]*\) .*/\1/p' answer
}

taken_for_dead() { # by the proxy, after a request without an answer
    PATIENCE=5 ask "127.0.0.1:$PROXY_PORT" auth nas-secret 'User-Name = "late"' 'User-Password = "x"' 'Message-Authenticator = 0x00'
    marked zombie
}
marked() { [[ $(grep 'Marking home server' proxy/log | tail -n 1) == *"$1"* ]]; } # WORD: what the proxy said last

@test "RAD-07, RAD-08, FLD-R1: FreeRADIUS in front does not take MAB, passwords and other EAP for a dead server" {
    command -v freeradius >/dev/null || skip "no freeradius"
    teap
    start_proxy 'response_window = 4' 'zombie_period = 40' 'status_check = status-server' 'check_interval = 6' \
        'check_timeout = 4' 'num_answers_to_alive = 3'
    local i
    for i in $(seq 10); do
        run ask "127.0.0.1:$PROXY_PORT" auth nas-secret "User-Name = \"00112233440$i\"" \
            'Service-Type = Call-Check' 'User-Password = "mac"' 'Message-Authenticator = 0x00'
        [[ $output == Access-Reject ]]
    done
    ! grep -E 'Marking home server.*(zombie|dead)' proxy/log || return 1
    through_proxy pledgeid --new-key ec:P-256 --key-out dev.key -o dev.pem
    # A relay that answers nothing for a while is found alive by Status-Server.
    kill -STOP "$TEAP_PID"
    wait_for 60 taken_for_dead
    kill -CONT "$TEAP_PID"
    wait_for 60 marked alive
    ! grep -q 'Marking home server.*dead' proxy/log || return 1
    cp dev.pem "$PKI/ldevid.pem" && cp dev.key "$PKI/ldevid.key"
    through_proxy ldevid --expect accept
    curl -sf "$TEAP_ADMIN/metrics" >metrics
    grep -q '^acmetool_teap_refused_no_eap_total [1-9][0-9]' metrics
    grep -q '^acmetool_teap_status_server_total [1-9]' metrics
}

@test "RAD-07, RAD-08, FLD-R1: radclient gets an answer to a password, Status-Server and Accounting, and none with a wrong secret" {
    command -v radclient >/dev/null || skip "no radclient"
    teap
    local relay=127.0.0.1:$RADIUS_PORT
    [ "$(ask "$relay" auth radius-secret 'User-Name = "u"' 'User-Password = "p"')" = Access-Reject ]
    grep -q 'Message-Authenticator = ' answer
    [ "$(ask "$relay" auth radius-secret 'User-Name = "u"' 'CHAP-Password = "p"' 'Message-Authenticator = 0x00')" = \
        Access-Reject ]
    [ "$(ask "$relay" status radius-secret 'Message-Authenticator = 0x00')" = Access-Accept ]
    [ "$(ask "$relay" acct radius-secret 'Acct-Status-Type = Stop' 'Acct-Session-Id = "s7"' 'User-Name = "device"' \
        'Acct-Session-Time = 60')" = Accounting-Response ]
    grep '"event":"accounting"' "$TEAP_LOG" |
        jq -e '.status == "stop" and .session == "s7" and .identity == "device" and .seconds == 60'
    PATIENCE=3
    [ -z "$(ask "$relay" status wrong-secret 'Message-Authenticator = 0x00')" ]
    [ -z "$(ask "$relay" acct wrong-secret 'Acct-Status-Type = Stop')" ]
}

@test "TEAP-10a, TEAP-04b, RAD-05a: the trust anchor on request, and attributes by rule" {
    TEAP_ACCEPT=$'[[accept]]\nenrolled = "yes"\nvlan = "20"\nsession_timeout = "1h"\n[[accept]]\ndevice = "other*"\nfilter_id = "no"'
    teap 'order = "binding-last"' 'status = "success"'
    peer pledgeid --new-key ec:P-256 --key-out dev.key --save-root root.pem -o dev.pem
    cmp <(openssl x509 -in root.pem) <(openssl x509 -in "$CA_ROOT")
    # Who declines gets in where the request's status is success.
    peer pledgeid --expect accept
}

@test "TEAP-20a, TEAP-20b: a certificate alone lets in under TLS 1.3 unless cert_only is reject, and under TLS 1.2 always" {
    teap
    peer pledgeid --new-key ec:P-256 --key-out "$PKI/ldevid.key" -o "$PKI/ldevid.pem"
    peer ldevid --tls-version 1.3 --expect accept
    sed -i 's/^\[teap\]/&\ncert_only = "reject"/' "$PKI/teap.toml"
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$TEAP_LOG"
    peer ldevid --tls-version 1.2 --expect accept
    run peer ldevid --tls-version 1.3 --expect accept
    [ "$status" = 77 ]
    [[ $output == *1004* ]]
    grep -q 'under TLS 1.3 a certificate without enrolment is not sufficient' "$TEAP_LOG"
}

@test "TEAP-14c, INT-12b, ESTS-14: one process is both relays: what is pending by EST is had by TEAP, and the other way round" {
    set_fault processing=12 # for longer than the other relay takes to ask
    write_relay_toml "$PKI" 'wait = "0s"' 'retry_after = "1s"'
    RADIUS_PORT=$(free_port)
    (umask 077 && echo radius-secret >"$PKI/secret")
    sed -i "s|^admin = |radius = \"127.0.0.1:$RADIUS_PORT\"\n&|" "$PKI/relay.toml"
    printf '[[client]]\naddress = "127.0.0.1"\nsecret_file = "secret"\n[teap]\nhold = "1s"\n' >>"$PKI/relay.toml"
    start_relay "$PKI"
    wait_for 60 grep -q '"status":"valid"' "$PKI/relay.log"

    make_csr pledgeid.domain.com first.csr
    est pledgeid simpleenroll -H 'Content-Type: application/pkcs10' --data-binary @first.csr
    [ "$STATUS" = 202 ]
    openssl base64 -d -in first.csr -out first.der
    run peer pledgeid --csr first.der
    [ "$status" = 75 ]
    wait_for 60 grep -q '"resource":"certificate"' "$CA_LOG"
    for _ in $(seq 30); do
        peer pledgeid --csr first.der -o first.pem && break
        sleep 1
    done
    [ "$(names_in first.pem)" = DNS:pledgeid.domain.com ]
    [ "$(requests newOrder)" = 1 ]

    make_csr pledgeid.domain.com second.csr
    openssl base64 -d -in second.csr -out second.der
    run peer pledgeid --csr second.der
    [ "$status" = 75 ]
    enrol pledgeid simpleenroll second.csr
    [ "$STATUS" = 200 ]
    openssl base64 -d -in "$PKI/body" | openssl pkcs7 -inform DER -print_certs -out second.pem
    cmp <(openssl x509 -in second.pem -noout -pubkey) <(openssl pkey -in second.csr.key -pubout)
    [ "$(requests newOrder)" = 2 ]
    [ "$(requests finalize)" = 2 ]

    # What the one relay issued is let in by the other.
    cp second.pem "$PKI/ldevid.pem" && cp second.csr.key "$PKI/ldevid.key"
    peer ldevid --expect accept -vv 2>told
    ! grep -q Request-Action told || return 1
    est-relay status --config "$PKI/relay.toml" --json | jq -e '.teap.enrolments == 1 and .teap.accepts == 2'
}

@test "RAD-04b: a tenth of all packets lost, a tenth doubled, a tenth late: each enrolment ends well, with one order" {
    local count=${COUNT:-20} i
    for i in $(seq "$count"); do
        make_idevid "$PKI" "device$i"
        echo "device$i" >>"$PKI/devices.csv"
    done
    RELAY_LIMITS=$'orders_in_total = 100000'
    teap
    python3 "$ROOT/tests/lib/lossy_proxy.py" "$RADIUS_PORT" 0.1 6 >proxy.port 3>&- &
    STARTED+=("$!")
    wait_for 10 test -s proxy.port
    teap-enroll --radius "127.0.0.1:$(cat proxy.port)" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
        --cert "$PKI/device{n}.pem" --key "$PKI/device{n}.key" --retransmit 1s --new-key ec:P-256 --expect enrol \
        --count "$count" --parallel 8 -o load.json
    jq -e --argjson count "$count" '.ok == $count and .enrolled == $count' load.json
    [ "$(requests newOrder)" = "$count" ]
    [ "$(requests finalize)" = "$count" ]
    teap-relay status --config "$PKI/teap.toml" --json |
        jq -e --argjson count "$count" '.teap.enrolments == $count and .teap.repeats > 0'
    [ -z "${COUNT:-}" ] || jq -c . load.json >&3
}

@test "SEC-14, ESTS-24a, TEAP-17b: by TEAP, too, a request for more than is certified is refused, and the CA hears nothing" {
    local code words extension seen
    teap
    seen=$(wc -l <"$CA_LOG")
    openssl ecparam -name prime256v1 -genkey -noout -out greedy.key
    while IFS='|' read -r code words extension; do
        openssl req -new -key greedy.key -subj / -addext subjectAltName=DNS:pledgeid.domain.com -addext "$extension" \
            -outform DER -out greedy.der
        run peer pledgeid --csr greedy.der
        [ "$status" -ne 0 ]
        [[ $output == *$code* ]]
        grep -qF "$words" "$TEAP_LOG"
    done <<'END'
1025|CA:TRUE|basicConstraints=CA:TRUE
1025|keyCertSign|keyUsage=keyCertSign
1025|codeSigning|extendedKeyUsage=codeSigning
1023|tlsfeature|tlsfeature=status_request
END
    [ "$(wc -l <"$CA_LOG")" = "$seen" ]
}

@test "SEC-26, RAD-11: User-Name in the Access-Accept is the device's name, and the outer identity only by option" {
    teap
    python3 "$ROOT/tests/lib/lossy_proxy.py" "$RADIUS_PORT" 0 1 users >proxy.port 3>&- &
    STARTED+=("$!")
    wait_for 10 test -s proxy.port
    log_in() { # DEVICE IDENTITY [OPTION...]
        local device=$1 identity=$2
        shift 2
        teap-enroll --radius "127.0.0.1:$(cat proxy.port)" --secret-file "$PKI/secret" --ca-file "$PKI/tls-root.pem" \
            --cert "$PKI/$device.pem" --key "$PKI/$device.key" --identity "$identity" --server-name localhost --retransmit 60s "$@"
    }
    log_in pledgeid ceo@corp.example --new-key ec:P-256 --key-out "$PKI/ldevid.key" -o "$PKI/ldevid.pem"
    log_in ldevid ceo@corp.example --expect accept
    [ "$(sort -u users)" = pledgeid.domain.com ]
    [ "$(wc -l <users)" = 2 ]
    # The log has both, and the identifier that a block needs.
    [ "$(grep -c '"device":"pledgeid@[0-9a-f]\{64\}".*"identity":"ceo@corp.example"' "$TEAP_LOG")" = 2 ]

    echo 'user_name = "outer"' >>"$PKI/teap.toml"
    kill -HUP "$TEAP_PID"
    wait_for 10 grep -q '"msg":"reloaded"' "$TEAP_LOG"
    log_in ldevid ceo@corp.example --expect accept
    [ "$(tail -n 1 users)" = ceo@corp.example ]
}

@test "FLD-R5: an IDevID that expired is rejected with this reason in the log, with port and station" {
    teap
    openssl x509 -x509toreq -in "$PKI/pledgeid.pem" -signkey "$PKI/pledgeid.key" -out old.csr 2>/dev/null
    at_clock -20d openssl x509 -req -in old.csr -CA "$PKI/maker.pem" -CAkey "$PKI/maker.key" -days 10 -out "$PKI/pledgeid.pem" 2>/dev/null
    run peer pledgeid
    [ "$status" = 77 ]
    wait_for 5 grep -q '"decision":"reject".*certificate has expired' "$TEAP_LOG"
    grep '"decision":"reject"' "$TEAP_LOG" | tail -n 1 | jq -e '.station == "02-00-00-00-00-01" and .nas == "teap-enroll" and (.request_id | length) == 16'
}
