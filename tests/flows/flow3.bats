#!/usr/bin/env bats
# Flow 3: a domain is proved once, then certificates for its subdomains; against BIND and Knot.

load ../lib/common
load ../lib/processes
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

begin() { # start_knot|start_bind
    "$1" "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
}

begin_two_zones() {
    start_knot "$PWD/dns" domain.com acme.example
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
}

step_by_step() {
    begin "$1"
    acme-preauth new --subdomains domain.com -o 1.json
    env -u HOME acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o 2.json <1.json
    [ -n "$(txt_values _acme-challenge.domain.com)" ]
    acme-preauth respond -o 3.json <2.json
    acme-preauth cleanup --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json <3.json
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
    [ "$(jq -r '.status, .subdomainAuthAllowed' authz.json | xargs)" = "valid true" ]
    csr-build --new-key ec:P-256 --key-out sub.key --dns sub.domain.com -o sub.csr
    acme-order new -o o1.json <sub.csr
    [ "$(jq -r .status o1.json)" = ready ]
    acme-order finalize -o o2.json <o1.json
    [ "$(jq -r .status o2.json)" = valid ]
    acme-order download -o sub.pem <o2.json
    openssl verify -CAfile "$CA_ROOT" -untrusted sub.pem sub.pem
    # The seed's arrows and no others: no authorization was fetched for the order.
    [ "$(requests newOrder) $(requests finalize) $(requests certificate)" = "1 1 1" ]
}

@test "PRE-03b, PRE-12, ACME-21: every arrow of the seed's section 3 by itself, with Knot" {
    step_by_step start_knot
}

@test "CHAL-05a, CHAL-06a, CHAL-08: the same with BIND and a key for _acme-challenge TXT only" {
    step_by_step start_bind
}

@test "PRE-04, PRE-05a, PRE-15: preauth run, then two subdomains and the domain itself without a challenge" {
    begin start_knot
    acme-preauth run --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    jq -e --arg ca "${CA_DIRECTORY%/directory}/" '.type == "authorization" and .subdomainAuthAllowed and (.expires | length > 0) and
        .status == "valid" and .identifier == {type: "dns", value: "domain.com"} and (.url | startswith($ca))' authz.json
    local name
    for name in a.domain.com b.c.domain.com domain.com; do
        csr-build --new-key ec:P-256 --key-out "$name.key" --dns "$name" | acme-order run -o "$name.pem"
        openssl verify -CAfile "$CA_ROOT" -untrusted "$name.pem" "$name.pem"
    done
    [ "$(requests challenge)" = 1 ]
}

@test "PRE-06a, PRE-05b, FAULT-13: a CA that drops the flag: 0 and false, 77 with --require-subdomains" {
    begin start_knot
    set_fault subdomainFlag=absent
    acme-preauth run --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    [ "$(jq .subdomainAuthAllowed authz.json)" = false ]
    run acme-preauth run --subdomains --require-subdomains --json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" domain.com
    [ "$status" = 77 ]
    [[ "$output" == *subdomainsNotCovered* ]]
}

@test "PRE-01a, PRE-01b, FAULT-12: a CA without newAuthz is 69 newAuthzUnsupported, without a POST" {
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --newauthz off
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    run acme-preauth new --json domain.com
    [ "$status" = 69 ]
    [[ "$output" == *newAuthzUnsupported* ]]
    [ "$(grep -c '"method":"POST"' "$CA_LOG")" = 1 ] # newAccount
}

@test "PRE-02a, PRE-11a, PRE-11b: ancestorDomain within the order" {
    begin start_knot
    csr-build --new-key ec:P-256 --key-out k --dns x.y.domain.com -o x.csr
    run acme-order run --ancestor-domain domain.com <x.csr
    [ "$status" = 79 ]
    acme-order run --ancestor-domain domain.com --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o x.pem <x.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted x.pem x.pem
    # The parent is authorized now, its other names with it.
    csr-build --new-key ec:P-256 --key-out k2 --dns z.domain.com | acme-order run -o z.pem
}

@test "PRE-08a: a wildcard is never pre-authorized" {
    begin start_knot
    run acme-preauth new --json '*.domain.com'
    [ "$status" = 65 ]
    [[ "$output" == *wildcardNotAllowed* ]]
    [ "$(requests newAuthz)" = 0 ]
}

@test "CHAL-02a, FAULT-04: base name and wildcard at once: two values at one name, none left" {
    begin start_knot
    csr-build --new-key ec:P-256 --key-out k --dns domain.com --dns '*.domain.com' --allow-wildcard |
        acme-order run --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o w.pem
    openssl x509 -in w.pem -noout -ext subjectAltName | grep -F '*.domain.com'
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
}

@test "CHAL-02b, CHAL-05b, CHAL-05c: one value is added to what stands there, and that value alone is removed" {
    begin start_knot
    knsupdate -k "$TSIG_KEY" <<<"server 127.0.0.1 ${DNS_SERVER##*:}
zone domain.com
add _acme-challenge.domain.com 60 TXT of-another-order
send"
    acme-preauth new domain.com -o 1.json
    acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o 2.json <1.json
    [ "$(txt_values _acme-challenge.domain.com | sort)" = "$(printf '"%s"\n' "$(jq -r .record.value 1.json)" of-another-order | sort)" ]
    acme-preauth cleanup --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o 3.json <2.json
    [ "$(txt_values _acme-challenge.domain.com)" = '"of-another-order"' ]
}

@test "PRE-16a, PRE-16b: renew tells unchanged, renewed and due apart" {
    begin start_knot
    local solver=(--dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY")
    run acme-preauth renew --check --subdomains domain.com
    [ "$status" = 0 ]
    acme-preauth renew --subdomains "${solver[@]}" --metrics-file m.prom -o r.json domain.com
    [ "$(jq .changed r.json)" = true ]
    grep acme_authorization_expires_timestamp_seconds m.prom
    run acme-preauth renew --check --subdomains domain.com
    [ "$status" = 1 ]
    local before
    before=$(requests newAuthz)
    acme-preauth renew --subdomains "${solver[@]}" -o r.json domain.com
    [ "$(jq .changed r.json)" = false ]
    run acme-preauth renew --subdomains --detailed-exitcode "${solver[@]}" domain.com
    [ "$status" = 2 ]
    [ "$(requests newAuthz)" = "$before" ]
    # Within the margin it is due; what cannot be renewed is neither.
    run acme-preauth renew --check --subdomains --before 4000d domain.com
    [ "$status" = 0 ]
    acme-preauth deactivate -q -o gone.json < <(acme-preauth new --subdomains domain.com)
    acme-preauth renew --subdomains --detailed-exitcode --before 4000d "${solver[@]}" domain.com
    [ "$(requests newAuthz)" -gt "$before" ]
    run acme-preauth renew --subdomains --detailed-exitcode --before 4000d --hook /bin/false --no-dns-check other.domain.com
    [ "$status" = 69 ]
}

@test "ACME-43b: an authorization that lives for hours is renewed in time, and not at a time of days" {
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --authz-lifetime 6h
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    acme-preauth renew --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o r.json domain.com
    run acme-preauth renew --check domain.com
    [ "$status" = 1 ]
    run at_clock +3h acme-preauth renew --check domain.com
    [ "$status" = 1 ]
    run at_clock +5h acme-preauth renew --check domain.com
    [ "$status" = 0 ]
    run at_clock +7h acme-preauth renew --check domain.com
    [ "$status" = 0 ]
}

@test "PRE-17, PRE-18b, FAULT-18: after a deactivation the order comes back pending, which is told" {
    begin start_knot
    acme-preauth run --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    acme-preauth deactivate -o gone.json <authz.json
    [ "$(jq -r .status gone.json)" = deactivated ]
    csr-build --new-key ec:P-256 --key-out k --dns s.domain.com -o s.csr
    run acme-order run --json <s.csr
    [ "$status" = 79 ]
    [[ "$output" == *authorizationNeeded* ]]
}

@test "SEC-05: a document's URLs, records and unknown members are never obeyed" {
    begin start_knot
    acme-preauth new --subdomains domain.com -o 1.json
    jq '.url = "https://127.0.0.1:1/authz/x"' 1.json >foreign.json
    run acme-preauth respond <foreign.json
    [ "$status" = 65 ]
    jq '.record.name = "www.domain.com"' 1.json >record.json
    run acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" <record.json
    [ "$status" = 65 ]
    jq --arg hook "touch $PWD/owned" '. + {hook: $hook, dnsUpdate: "127.0.0.1:1", keyFile: "/etc/shadow"}' 1.json >more.json
    acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o 2.json <more.json
    [ ! -e owned ]
    csr-build --new-key ec:P-256 --key-out k --dns domain.com -o d.csr
    acme-order new -o o.json <d.csr
    jq '.finalize = "https://127.0.0.1:1/finalize"' o.json >o2.json
    run acme-order finalize --json <o2.json
    [ "$status" = 65 ]
    [[ "$output" == *foreignUrl* ]]
}

@test "CHAL-07a: hooks in the forms of dehydrated and lego, called with their words, cleaned up" {
    begin start_knot
    # shellcheck disable=SC2016 # the hook's own variables
    update() { # NAME PRE POST: a hook whose name and value are these words of it
        printf '#!/bin/sh\necho "$@" >>%s.calls\ncase $1 in %s) c="add %s 60" ;; *) c="del %s" ;; esac\n' "$1" "$2" "$3" "$3"
        printf 'printf "server 127.0.0.1 %s\\nzone domain.com\\n$c TXT %s\\nsend\\n" | knsupdate -k %s\n' "${DNS_SERVER##*:}" "$4" "$TSIG_KEY"
    }
    update dehydrated deploy_challenge "_acme-challenge.\$2" "\$4" >dehydrated.sh
    update lego present "\$2" "\$3" >lego.sh
    chmod +x ./*.sh
    local style value
    for style in dehydrated lego; do
        acme-preauth run --hook-style "$style" --hook "./$style.sh" --name-server "$DNS_SERVER" --trace t.jsonl -o a.json domain.com
        [ "$(jq -r .status a.json)" = valid ]
        [ -z "$(txt_values _acme-challenge.domain.com)" ]
        acme-preauth deactivate -o - <a.json
    done
    value='[A-Za-z0-9_-]{43}'
    [ "$(wc -l <dehydrated.calls) $(wc -l <lego.calls)" = "2 2" ]
    sed -n 1p dehydrated.calls | grep -Ex "deploy_challenge domain.com [A-Za-z0-9_-]+ $value"
    sed -n 2p dehydrated.calls | grep -Ex "clean_challenge domain.com [A-Za-z0-9_-]+ $value"
    sed -n 1p lego.calls | grep -Ex "present _acme-challenge.domain.com. $value"
    sed -n 2p lego.calls | grep -Ex "cleanup _acme-challenge.domain.com. $value"
    run acme-preauth new --json --hook-style exotic --hook ./lego.sh domain.com
    [ "$status" = 64 ]
    [[ "$output" == *hookStyle* ]]
}

@test "CHAL-07a, CHAL-03a: hooks in the forms of uacme and certbot, cleaned up; the one that fails or hangs" {
    begin start_knot
    cat >update.sh <<EOF
#!/bin/sh
[ "\$(env | grep -c CANARY)" = 0 ] || exit 9
{ echo "server 127.0.0.1 ${DNS_SERVER##*:}"; echo "zone domain.com"
case "\$1" in begin) echo "add _acme-challenge.\$3 60 TXT \$5" ;; *) echo "del _acme-challenge.\$3 TXT \$5" ;; esac
echo send; } | knsupdate -k $TSIG_KEY
EOF
    cat >auth.sh <<EOF
#!/bin/sh
printf 'server 127.0.0.1 ${DNS_SERVER##*:}\nzone domain.com\nadd _acme-challenge.%s 60 TXT %s\nsend\n' "\$CERTBOT_DOMAIN" "\$CERTBOT_VALIDATION" | knsupdate -k $TSIG_KEY
EOF
    sed 's/nadd/ndel/; s/ 60 TXT/ TXT/' auth.sh >clean.sh
    printf '#!/bin/sh\nexit 3\n' >fails.sh
    printf '#!/bin/sh\ntrap "" TERM\nsleep 60\n' >hangs.sh
    chmod +x ./*.sh
    CANARY=secret acme-preauth run --hook ./update.sh --resolver "$DNS_SERVER" --name-server "$DNS_SERVER" -o a.json domain.com
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
    acme-preauth deactivate -o - <a.json
    acme-preauth run --hook-style certbot --hook ./auth.sh --hook-cleanup ./clean.sh --name-server "$DNS_SERVER" -o a.json domain.com
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
    acme-preauth deactivate -o - <a.json
    run acme-preauth run --json --hook ./fails.sh --no-dns-check domain.com
    [ "$status" = 69 ]
    [[ "$output" == *hookFailed* ]]
    run acme-preauth run --json --hook ./hangs.sh --hook-timeout 300ms --no-dns-check domain.com
    [ "$status" = 69 ]
    [[ "$output" == *hookTimeout* ]]
    run acme-preauth run --json --hook ./missing.sh --no-dns-check domain.com
    [ "$status" = 78 ]
}

@test "CHAL-06d, FAULT-19: TSIG refused: wrong secret, unknown key, a name outside the policy" {
    begin start_bind
    acme-preauth new domain.com -o 1.json
    printf 'hmac-sha256:acme.key:%s\n' "$(openssl rand -base64 32)" >wrong.key
    run acme-preauth publish --json --dns-update "$DNS_SERVER" --tsig-key wrong.key <1.json
    [ "$status" = 77 ]
    [[ "$output" == *tsigBadSig* ]]
    printf 'hmac-sha256:other.key:%s\n' "$(openssl rand -base64 32)" >other.key
    run acme-preauth publish --json --dns-update "$DNS_SERVER" --tsig-key other.key <1.json
    [ "$status" = 77 ]
    [[ "$output" == *tsigBadKey* ]]
    acme-preauth new sub.domain.com -o 2.json
    run acme-preauth publish --json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" <2.json
    [ "$status" = 77 ]
    [[ "$output" == *dnsRefused* ]]
    printf 'key x {' >broken.key
    run acme-preauth publish --json --dns-update "$DNS_SERVER" --tsig-key broken.key <1.json
    [ "$status" = 78 ]
}

@test "CHAL-04b, FAULT-19: a record that is not visible at every server is waited for until --dns-wait" {
    begin start_knot
    acme-preauth new domain.com -o 1.json
    run acme-preauth publish --json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" --name-server "$DNS_SERVER" \
        --name-server "127.0.0.1:$(free_port)" --dns-wait 2s <1.json
    [ "$status" = 69 ]
    [[ "$output" == *notPropagated* ]]
}

@test "CHAL-04a, ACME-28: the CA hears of a record once every server has it" {
    begin start_knot
    local ours=$DNS_SERVER key=$TSIG_KEY
    start_knot "$PWD/second" domain.com # has no such record
    local servers=(--dns-update "$ours" --tsig-key "$key" --name-server "$ours" --name-server "$DNS_SERVER")
    run acme-preauth run --json "${servers[@]}" --dns-wait 3s domain.com
    echo "$output"
    [ "$status" = 69 ]
    [[ "$output" == *notPropagated* ]]
    [ "$(requests challenge)" = 0 ]
    # Now it gets there while the client waits.
    acme-preauth run "${servers[@]}" --dns-wait 120s -o authz.json domain.com &
    local client=$!
    wait_for 20 bash -c "kdig @127.0.0.1 -p ${ours##*:} +short TXT _acme-challenge.domain.com | grep -q ."
    [ "$(requests challenge)" = 0 ]
    knsupdate -k "$TSIG_KEY" <<<"server 127.0.0.1 ${DNS_SERVER##*:}
zone domain.com
add _acme-challenge.domain.com 60 TXT $(kdig @127.0.0.1 -p "${ours##*:}" +short TXT _acme-challenge.domain.com)
send"
    wait "$client"
    [ "$(jq -r .status authz.json)" = valid ]
}

@test "CHAL-09a: http-01 by web root, the file gone afterwards" {
    start_knot "$PWD/dns" domain.com
    local port
    port=$(free_port)
    mkdir web
    python3 -m http.server --bind 127.0.0.1 --directory web "$port" >/dev/null 2>&1 &
    STARTED+=($!)
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --http-port "$port" --allow-loopback
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    wait_for 10 curl -s "http://127.0.0.1:$port/"
    csr-build --new-key ec:P-256 --key-out k --dns host.domain.com | acme-order run --webroot web -o h.pem
    openssl verify -CAfile "$CA_ROOT" -untrusted h.pem h.pem
    [ -z "$(ls web/.well-known/acme-challenge)" ]
}

@test "SEC-06: http-01 to loopback is refused unless allowed" {
    begin start_knot
    mkdir web
    csr-build --new-key ec:P-256 --key-out k --dns host.domain.com -o h.csr
    run acme-order run --webroot web --json <h.csr
    [ "$status" = 77 ]
    [[ "$output" == *"no address that may be asked"* ]]
}

@test "CHAL-11, SEC-08: a CNAME is followed into allowed zones only" {
    DNS_EXTRA="_acme-challenge.alias IN CNAME alias.acme.example." begin_two_zones
    csr-build --new-key ec:P-256 --key-out k --dns alias.domain.com -o a.csr
    run acme-order run --json --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" <a.csr
    [ "$status" = 77 ]
    [[ "$output" == *cnameOutsideAllowedZones* ]]
    acme-order run --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" --dns-allow-zone acme.example -o a.pem <a.csr
    openssl verify -CAfile "$CA_ROOT" -untrusted a.pem a.pem
    [ -z "$(txt_values alias.acme.example)" ]
}

@test "CHAL-11: the update goes to another server than the names are looked up at" {
    DNS_EXTRA="_acme-challenge.alias IN CNAME alias.acme.example." begin_two_zones
    local resolver=$DNS_SERVER
    start_knot "$PWD/target" acme.example
    acme-preauth new alias.domain.com -o 1.json
    local options=(--resolver "$resolver" --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" --dns-allow-zone acme.example
        --name-server "$DNS_SERVER")
    acme-preauth publish "${options[@]}" -o 2.json <1.json
    [ "$(txt_values alias.acme.example)" = "\"$(jq -r .record.value 1.json)\"" ]
    acme-preauth cleanup "${options[@]}" -o 3.json <2.json
    [ -z "$(txt_values alias.acme.example)" ]
}

@test "CHAL-03b: a DNS server that never answers holds no signal up" {
    begin start_knot
    python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(600)' >silent.port &
    STARTED+=($!)
    wait_for 10 grep -q . silent.port
    acme-preauth new domain.com -o 1.json
    acme-preauth publish --dns-update "127.0.0.1:$(cat silent.port)" --tsig-key "$TSIG_KEY" <1.json 2>err &
    local pid=$!
    wait_for 10 bash -c "ss -Hun state established | grep -q 127.0.0.1:$(cat silent.port)"
    kill -TERM "$pid"
    local ended=0
    wait "$pid" || ended=$?
    [ "$ended" = 143 ]
}

@test "FAULT-19: what a hook leaves behind ends with it: its whole process group is killed" {
    begin start_knot
    printf '#!/bin/sh\necho $$ >hook.pid\nsleep 300 &\necho $! >child.pid\nsleep 300\n' >hangs.sh
    chmod +x hangs.sh
    run acme-preauth run --json --hook ./hangs.sh --hook-timeout 4s --no-dns-check domain.com
    [ "$status" = 69 ]
    [[ "$output" == *hookTimeout* ]]
    wait_for 5 gone "$(cat child.pid)"
    wait_for 5 gone "$(cat hook.pid)"
}

@test "an account document written over the account file is an account file" {
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o acct.json
    acme-account show | jq -e '.status == "valid"'
}

@test "PRE-02b, FLD-A18, PRE-19: JSON names the path taken: the order's own challenge, an ancestor's, or none" {
    begin start_knot
    local solver=(--dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY") name
    for name in one two three four five six; do
        csr-build --new-key ec:P-256 --key-out "$name.key" --dns "$name.sub.domain.com" -o "$name.csr"
    done
    acme-order run --json "${solver[@]}" <one.csr >one.json
    [ "$(jq -r .path one.json)" = order ]
    # The steps know it, too, and a new order has none yet.
    acme-order new <two.csr >two.json
    jq -e 'has("path") | not' two.json
    acme-order authorize "${solver[@]}" <two.json >ready.json
    [ "$(jq -r .path ready.json)" = order ]
    acme-order finalize <ready.json | acme-order download --json >two.json
    [ "$(jq -r .path two.json)" = order ]
    acme-order run --json --ancestor-domain sub.domain.com "${solver[@]}" <three.csr >three.json
    [ "$(jq -r .path three.json)" = ancestor ]
    acme-order run --json <four.csr >four.json
    [ "$(jq -r .path four.json)" = preauthorized ]
    acme-order renew --json --csr five.csr -o five.pem >five.json
    [ "$(jq -r '.certificates[0].path' five.json)" = preauthorized ]
    acme-order new --json <six.csr | tee new.json | acme-order finalize | tee done.json | acme-order download --json >six.json
    [ "$(jq -r .path new.json done.json six.json | sort -u)" = preauthorized ]
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/certificate.json" <one.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/order.json" <ready.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/renewal.json" <five.json
}

@test "CHAL-14: dns-account-01: the record at the account's own name, beside one of another account; in steps, too" {
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --dns-account
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    local solver=(--dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY") name
    name="_$(jq -jr .url acct.json | openssl dgst -sha256 -binary | head -c 10 | base32 | tr '[:upper:]' '[:lower:]')._acme-challenge.domain.com"
    acme-preauth new --dns-account "${solver[@]}" domain.com -o 1.json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/authorization.json" <1.json
    [ "$(jq -r '.challenge.type + " " + .record.name' 1.json)" = "dns-account-01 $name" ]
    acme-preauth publish --dns-account "${solver[@]}" -o 2.json <1.json
    [ -n "$(txt_values "$name")" ]
    [ -z "$(txt_values _acme-challenge.domain.com)" ]
    acme-preauth respond -o 3.json <2.json
    acme-preauth cleanup --dns-account "${solver[@]}" -o 4.json <3.json
    [ "$(jq -r .status 4.json)" = valid ]
    [ -z "$(txt_values "$name")" ]
    acme-preauth run --dns-account "${solver[@]}" -o run.json sub.domain.com
    [ "$(jq -r .status run.json)" = valid ]
    # dns-01 comes first without the option.
    acme-preauth new "${solver[@]}" other.domain.com -o 5.json
    [ "$(jq -r .challenge.type 5.json)" = dns-01 ]
    run acme-preauth run --json --dns-account --webroot . domain.com
    [ "$status" = 64 ]
}

@test "CHAL-14: hooks of certbot and dehydrated style, which name the record themselves, are refused for dns-account-01 before any request" {
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" --dns-account
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    local style
    printf '#!/bin/sh\necho called >>calls\n' >hook.sh
    chmod +x hook.sh
    for style in certbot dehydrated; do
        run acme-preauth new --json --dns-account --hook ./hook.sh --hook-style "$style" domain.com
        echo "$output"
        [ "$status" = 64 ]
        [[ "$output" == *hookStyle* ]]
    done
    [ "$(requests newAuthz)" = 0 ]
    for style in uacme lego; do
        acme-preauth new --dns-account --hook ./hook.sh --hook-style "$style" "$style.domain.com" -o "$style.json"
        [ "$(jq -r .challenge.type "$style.json")" = dns-account-01 ]
    done
    [ ! -e calls ]
}
