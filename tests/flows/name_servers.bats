#!/usr/bin/env bats
# Visibility of a record at the name servers of its zone, and the resolvers of resolv.conf(5): Knot and silent
# addresses at port 53 of a network namespace.

load ../lib/common

NAME=_acme-challenge.domain.com
VALUE=iQ8vWkZ0mJ2bq8y5nXoH3dXw1cTtKpGfRsUeVaYzLhM

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    unshare -mn true 2>/dev/null || skip "no network namespace for servers at port 53"
    jq -n --arg name "$NAME" --arg value "$VALUE" '{type: "authorization", version: 1, status: "pending",
        identifier: {type: "dns", value: "domain.com"}, url: "https://ca.example/authz/1",
        challenge: {type: "dns-01", url: "https://ca.example/challenge/1", token: $value},
        record: {name: $name, value: $value}}' >t.json
    cat >lib.bash <<END
. "$ROOT/tests/lib/common.bash"
. "$ROOT/tests/lib/dns.bash"
END
    cat >>lib.bash <<'END'
ip link set lo up
trap stop_all EXIT

# serve ADDRESS ZONE [LINE...]: a name server for a zone of these lines at port 53.
serve() {
    local address=$1 zone=$2 dir=$PWD/$1.$2
    shift 2
    mkdir -p "$dir"
    printf '%s\n' "\$TTL 60" "@ IN SOA ns.$zone. hostmaster.$zone. 1 3600 600 86400 60" "$@" >"$dir/$zone.zone"
    cat >"$dir/knot.conf" <<EOF
server:
    listen: $address@53
    rundir: "$dir"
database:
    storage: "$dir"
zone:
  - domain: $zone
    storage: "$dir"
EOF
    knotd -c "$dir/knot.conf" >"$dir/knot.log" 2>&1 &
    STARTED+=($!)
    wait_for 20 kdig "@$address" +tcp +time=1 +retry=0 SOA "$zone"
}

# silent ADDRESS: an address that takes questions and answers none.
silent() {
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("bound", flush=True)
time.sleep(600)' "$1" >"silent.$1" &
    STARTED+=($!)
    wait_for 10 grep -q bound "silent.$1"
}

resolv_conf() { # LINE...
    printf '%s\n' "$@" >resolv.conf
    mount --bind resolv.conf /etc/resolv.conf
}

# primary NAME-SERVER-LINE...: the server that is updated, which knows only domain.com.
primary() {
    write_zone() {
        printf '%s\n' "\$TTL 60" "@ IN SOA ns.domain.com. hostmaster.domain.com. 1 3600 600 86400 60" "${LINES[@]}" >"$1"
    }
    LINES=("$@")
    start_knot "$PWD/primary" domain.com
}

publish() { # OPTION...; PATIENCE is the limit where nothing will be visible
    acme-preauth publish --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" --dns-wait "${PATIENCE:-60s}" -o out.json "$@" <t.json
}
END
}

in_namespace() { # SCRIPT
    { echo "set -euo pipefail" && echo ". lib.bash" && echo "$1"; } >script
    run unshare -mn bash script
    echo "$output"
}

@test "FLD-A3: an address family without a route does not count, nor a silent address beside one that answers" {
    in_namespace '
        silent 127.0.0.7
        primary "@ IN NS ns1" "ns1 IN A 127.0.0.1" "ns1 IN A 127.0.0.7" "ns1 IN AAAA 2001:db8::53"
        publish'
    [ "$status" = 0 ]
    [[ "$output" != *"not checked"* ]]
}

@test "FLD-A3: a name server that this host has no route to is named, and the others decide; with no other, nothing is visible" {
    in_namespace '
        primary "@ IN NS ns1" "@ IN NS ns6" "ns1 IN A 127.0.0.1" "ns6 IN AAAA 2001:db8::53"
        publish'
    [ "$status" = 0 ]
    [[ "$output" == *"name server ns6.domain.com of domain.com was not checked: this host has no route to it"* ]]
    in_namespace '
        primary "@ IN NS ns6" "ns6 IN AAAA 2001:db8::53"
        PATIENCE=3s publish --json'
    [ "$status" = 69 ]
    [[ "$output" == *notPropagated* && "$output" == *"ns6.domain.com: this host has no route to it"* ]]
}

@test "FLD-A3: one that lags behind, or that is silent at each of its addresses, still fails" {
    in_namespace '
        serve 127.0.0.2 domain.com "@ IN NS ns1" "ns1 IN A 127.0.0.1"
        primary "@ IN NS ns1" "@ IN NS ns2" "ns1 IN A 127.0.0.1" "ns2 IN A 127.0.0.2" "ns2 IN AAAA 2001:db8::53"
        PATIENCE=3s publish --json'
    [ "$status" = 69 ]
    [[ "$output" == *notPropagated* && "$output" == *"127.0.0.2:53: NXDOMAIN, no such record"* && "$output" != *2001:db8* ]]
    in_namespace '
        silent 127.0.0.7
        primary "@ IN NS ns1" "@ IN NS ns2" "ns1 IN A 127.0.0.1" "ns2 IN A 127.0.0.7"
        PATIENCE=3s publish --json'
    [ "$status" = 69 ]
    [[ "$output" == *notPropagated* && "$output" == *"127.0.0.7:53: no answer"* ]]
    # One address of two that lags behind is enough.
    in_namespace '
        serve 127.0.0.2 domain.com "@ IN NS ns1" "ns1 IN A 127.0.0.1"
        primary "@ IN NS ns1" "ns1 IN A 127.0.0.1" "ns1 IN A 127.0.0.2"
        PATIENCE=3s publish --json'
    [ "$status" = 69 ]
}

@test "FLD-A4: name servers in another zone are resolved by the system where the hidden primary cannot" {
    in_namespace '
        serve 127.0.0.3 other.example "@ IN NS ns" "ns IN A 127.0.0.2"
        serve 127.0.0.2 domain.com "@ IN NS ns.other.example."
        resolv_conf "nameserver 127.0.0.3"
        primary "@ IN NS ns.other.example."
        PATIENCE=3s publish --json'
    [ "$status" = 69 ]
    [[ "$output" == *notPropagated* && "$output" == *127.0.0.2:53* ]]
    in_namespace '
        serve 127.0.0.3 other.example "@ IN NS ns" "ns IN A 127.0.0.2"
        serve 127.0.0.2 domain.com "@ IN NS ns.other.example." "_acme-challenge IN TXT '"$VALUE"'"
        resolv_conf "nameserver 127.0.0.3"
        primary "@ IN NS ns.other.example."
        publish'
    [ "$status" = 0 ]
    [[ "$output" != *"not checked"* ]]
}

@test "FLD-A4: where nobody can resolve them, a warning lists what was not checked" {
    in_namespace '
        resolv_conf "nameserver 127.0.0.3"
        primary "@ IN NS ns1.other.example." "@ IN NS ns2.other.example."
        publish'
    [ "$status" = 0 ]
    [[ "$output" == *"name server ns1.other.example of domain.com was not checked: its address could not be resolved"* ]]
    [[ "$output" == *"name server ns2.other.example of domain.com was not checked"* ]]
}

@test "FLD-A5: a first server of resolv.conf that is silent, refuses or is not there; the next one is asked" {
    in_namespace '
        silent 127.0.0.7
        serve 127.0.0.3 domain.com "@ IN NS ns1" "ns1 IN A 127.0.0.3"
        serve 127.0.0.4 other.example "@ IN NS ns1" "ns1 IN A 127.0.0.4"
        policy() { rm -f k && acme-preauth dns-policy --server bind --key-out k domain.com; }
        for first in 127.0.0.7 127.0.0.4 127.0.0.9 2001:db8::53; do
            resolv_conf "# first" "nameserver $first" "nameserver 127.0.0.3" "options timeout:2 attempts:1"
            policy >out
            grep -q "domain.com" out
        done
        resolv_conf "nameserver 127.0.0.7" "nameserver 127.0.0.9" "options timeout:1" "options attempts:1"
        policy --json'
    [ "$status" = 69 ]
    [[ "$output" == *"127.0.0.7:53: no answer"* && "$output" == *"127.0.0.9:53: no answer"* ]]
}
