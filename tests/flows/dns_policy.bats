#!/usr/bin/env bats
# The least that a name server has to allow, as acme-preauth dns-policy prints it, applied word for word.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PORT=$(free_port)
    DNS_SERVER=127.0.0.1:$PORT
    mkdir -p zones
    write_zone zones/domain.com.zone domain.com
}

teardown() {
    stop_all
}

update() { # "add|delete NAME TYPE DATA..." with the new key
    nsupdate -k tsig.key <<EOF
check-names no
server 127.0.0.1 $PORT
zone domain.com
update $1
send
EOF
}

# The key does what two pre-authorizations need, and nothing else.
check_key() {
    wait_for 20 dns_answers "$PORT" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    acme-preauth run --subdomains --dns-update "$DNS_SERVER" --tsig-key tsig.key -o a.json domain.com
    acme-preauth run --dns-update "$DNS_SERVER" --tsig-key tsig.key -o b.json iot.domain.com
    update "add _acme-challenge.iot.domain.com. 60 TXT x"
    update "delete _acme-challenge.iot.domain.com. TXT"
    local change
    for change in "_acme-challenge.domain.com. 60 A 127.0.0.2" "_acme-challenge.domain.com. 60 CNAME a.domain.com." \
        "_acme-challenge.domain.com. 60 NS ns.domain.com." "domain.com. 60 TXT x" "www.domain.com. 60 A 127.0.0.2" \
        "_acme-challenge.www.domain.com. 60 TXT x" "a._acme-challenge.domain.com. 60 TXT x" \
        "_validation-persist.domain.com. 60 TXT x" "domain.com. 60 CAA 0 issue \"evil.example\""; do
        run update "add $change"
        [ "$status" != 0 ]
        [[ "$output" == *REFUSED* || "$output" == *NOTAUTH* ]]
    done
    run update "delete ns.domain.com. A"
    [ "$status" != 0 ]
    run update "delete domain.com."
    [ "$status" != 0 ]
}

@test "CHAL-08, SEC-08: dns-policy for BIND: the key writes the records needed and nothing else" {
    acme-preauth dns-policy --server bind --zone domain.com --key-out tsig.key -o policy domain.com iot.domain.com
    [ "$(stat -c %a tsig.key)" = 600 ]
    run grep -F "$(sed -n 's/.*secret "\(.*\)";/\1/p' tsig.key)" policy
    [ "$status" = 1 ]
    {
        sed '/^update-policy/,$d' policy
        echo "options { directory \"$PWD\"; listen-on port $PORT { 127.0.0.1; }; listen-on-v6 { none; };
  pid-file \"$PWD/named.pid\"; session-keyfile \"$PWD/session.key\"; recursion no; dnssec-validation no; notify no; };
controls { };
zone \"domain.com\" { type primary; file \"$PWD/zones/domain.com.zone\";"
        sed -n '/^update-policy/,$p' policy
        echo "};"
    } >named.conf
    named -g -c named.conf -p "$PORT" >named.log 2>&1 3>&- &
    STARTED+=($!)
    check_key
}

@test "CHAL-08, SEC-08: dns-policy for Knot: the key writes the records needed and nothing else" {
    acme-preauth dns-policy --server knot --zone domain.com --key-out tsig.key -o policy domain.com iot.domain.com
    [ "$(stat -c %a tsig.key tsig.key.knot | xargs)" = "600 600" ]
    run grep -F "$(sed -n 's/ *secret: //p' tsig.key.knot)" policy
    [ "$status" = 1 ]
    mkdir run
    {
        cat policy
        cat <<EOF
server:
    listen: 127.0.0.1@$PORT
    rundir: "$PWD/run"
database:
    storage: "$PWD/run"
log:
  - target: stderr
    any: warning
zone:
  - domain: domain.com
    file: "$PWD/zones/domain.com.zone"
    journal-content: changes
    zonefile-load: difference
$(sed -n 's/^# *\(acl: .*\)/    \1/p' policy)
EOF
    } >knot.conf
    knotd -c knot.conf >knot.log 2>&1 3>&- &
    STARTED+=($!)
    check_key
}

@test "SEC-08: dns-policy: a name of another zone, no server, an existing key; the zone is found" {
    start_knot "$PWD/dns" domain.com
    acme-preauth dns-policy --server bind --resolver "$DNS_SERVER" --key-out found.key --json -o policy.json a.domain.com
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/dns-policy.json" <policy.json
    [ "$(jq -r '.zone, .records[0], .keyName' policy.json | xargs)" = "domain.com _acme-challenge.a.domain.com acme.domain.com" ]
    run acme-preauth dns-policy --json --server bind --zone domain.com --key-out new.key other.com
    [ "$status" = 65 ]
    [[ "$output" == *otherZone* ]]
    [ ! -e new.key ]
    run acme-preauth dns-policy --json --server djbdns --zone domain.com --key-out new.key domain.com
    [ "$status" = 64 ]
    run acme-preauth dns-policy --json --server bind --zone domain.com domain.com
    [ "$status" = 64 ]
    run acme-preauth dns-policy --json --server bind --zone domain.com --key-out found.key domain.com
    [ "$status" = 73 ]
    # Knot's two files are made both or not at all.
    touch half.key.knot
    run acme-preauth dns-policy --json --server knot --zone domain.com --key-out half.key domain.com
    [ "$status" = 73 ]
    [[ "$output" == *half.key.knot:\ already\ exists* ]]
    [ ! -e half.key ]
}
