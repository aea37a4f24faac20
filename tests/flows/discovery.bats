#!/usr/bin/env bats
# Pledges that find their registrar by DNS-SD: a veth pair to a network namespace, Avahi and Knot as responders.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/link
load ../lib/relay
load ../lib/brski

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    # The pledge is in the namespace, everybody else on this side.
    make_link
    NET=198.18.$((BASHPID / 64 % 256)).$((BASHPID % 64 * 4))
    HERE=${NET%.*}.$((${NET##*.} + 1))
    THERE=${NET%.*}.$((${NET##*.} + 2))
    mkdir -p "/etc/netns/$LINK"
    echo "nameserver $HERE" >"/etc/netns/$LINK/resolv.conf"
    echo "options timeout:5 attempts:1" >>"/etc/netns/$LINK/resolv.conf"
    make_flow5
    no_ca
}

teardown() {
    stop_all
    remove_link
    [[ -z ${LINK:-} ]] || rm -rf "/etc/netns/$LINK"
}

# pledge VERB [OPTION...]: brski-pledge on the other side of the link.
pledge() {
    local verb=$1
    shift
    ip netns exec "$LINK" "$(command -v brski-pledge)" "$verb" "$@"
}

discovered() { pledge discover --interface far --domain home.test "$@"; }

run_discovered() {
    pledge run "${PLEDGE[@]}" --discover --interface far --domain home.test --manufacturer-ta "${ANCHOR:-$MAKER/vendor.pem}" \
        --key-out new.key -o new.pem
}

# local_registrar ADDRESS: start_masa, and the relay at this address here.
local_registrar() {
    start_masa "$MAKER"
    configure
    sed -i "s|^est = .*|est = \"$1:$RELAY_PORT\"|" "$PKI/relay.toml"
    start_relay "$PKI"
}

# ipv4: both sides have an address, too.
ipv4() {
    ip address add "$HERE/30" dev "$LINK"
    ip -n "$LINK" address add "$THERE/30" dev far
}

# start_avahi NAME PORT: announces a registrar with that name here, without D-Bus.
start_avahi() {
    mkdir -p avahi/services avahi/run
    cat >avahi/services/registrar.service <<EOF
<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>$1</name><service><type>_brski-registrar._tcp</type><port>$2</port></service></service-group>
EOF
    cat >avahi/conf <<EOF
[server]
host-name=$LINK
allow-interfaces=$LINK
use-ipv4=yes
use-ipv6=yes
enable-dbus=no
ratelimit-interval-usec=0
[publish]
publish-hinfo=no
publish-workstation=no
[rlimits]
EOF
    # A mount namespace, because the folders are built in.
    unshare -m sh -c 'mkdir -p /etc/avahi/services /run/avahi-daemon && mount --bind avahi/services /etc/avahi/services &&
        mount --bind avahi/run /run/avahi-daemon && exec avahi-daemon -f avahi/conf --no-drop-root --no-chroot --no-rlimits' \
        >avahi/log 2>&1 &
    STARTED+=($!)
    wait_for 20 grep -q 'successfully established' avahi/log
}

# start_home LINE...: Knot knows the zone home.test with these lines, at port 53 of this side.
start_home() {
    mkdir -p knot
    printf '%s\n' '$TTL 60' '@ IN SOA ns hostmaster 1 3600 600 86400 60' "@ IN NS ns" "ns IN A $HERE" "$@" >knot/home.test.zone
    cat >knot/conf <<EOF
server:
    listen: $HERE@53
    rundir: "$PWD/knot"
database:
    storage: "$PWD/knot"
log:
  - target: stderr
    any: warning
zone:
  - domain: home.test
    storage: "$PWD/knot"
EOF
    knotd -c knot/conf >knot/log 2>&1 &
    STARTED+=($!)
    wait_for 20 eval 'kdig +short @"$HERE" home.test SOA | grep -q hostmaster'
}

# answer_oddly REPLY...: odd_mdns.py sends these replies, in JSON.
answer_oddly() {
    (IFS=, && echo "[$*]") >script
    python3 "$ROOT/tests/lib/odd_mdns.py" "$LINK" script >odd.ready 2>odd.log &
    STARTED+=($!)
    wait_for 20 grep -q ready odd.ready || { cat odd.log >&2; return 1; }
}

SERVICE=_brski-registrar._tcp.local

# offer NAME HOST PORT ADDRESS [MEMBER]: a reply for odd_mdns.py.
offer() {
    local type=AAAA
    [[ $4 == *:* ]] || type=A
    printf '{%s "answers": [["%s", "PTR", "%s.%s"], ["%s.%s", "SRV", [0, 0, %s, "%s"]], ["%s", "%s", "%s"]]}' \
        "${5:+$5,}" "$SERVICE" "$1" "$SERVICE" "$1" "$SERVICE" "$3" "$2" "$2" "$type" "$4"
}

@test "FLD-E16, DISC-01a, DISC-01b: a registrar that Avahi announces, at a link-local address with its zone" {
    local_registrar "[fe80::1%$LINK]"
    start_avahi "The Registrar 1.0" "$RELAY_PORT"
    run --separate-stderr -0 discovered
    [ "$output" = "https://[fe80::1%25far]:$RELAY_PORT" ]
    run --separate-stderr -0 discovered --json
    "$ROOT/tests/lib/check-document" "$ROOT/docs/schema/registrars.json" <<<"$output"
    [[ $(jq -r '.registrars[0].source' <<<"$output") == *"mDNS on far"* ]]
    run_discovered
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
    grep -q "fe80::2%$LINK" "$PKI/relay.log"
}

@test "FLD-E16, DISC-01a: a registrar that the DNS of the domain names, by Knot; the first one is down, the second no registrar" {
    ipv4
    local_registrar "$HERE"
    local closed other
    closed=$(free_port)
    other=$(free_port)
    openssl s_server -accept "$HERE:$other" -cert "$PKI/ra.pem" -key "$PKI/ra.key" -rev -quiet >/dev/null 2>&1 &
    STARTED+=($!)
    wait_for 10 eval 'ss -Hltn "sport = :$other" | grep -q .'
    start_home "_brski-registrar._tcp IN PTR down._brski-registrar._tcp" \
        "_brski-registrar._tcp IN PTR other._brski-registrar._tcp" "_brski-registrar._tcp IN PTR Main\\032one._brski-registrar._tcp" \
        "down._brski-registrar._tcp IN SRV 1 0 $closed here" "other._brski-registrar._tcp IN SRV 2 0 $other here" \
        "Main\\032one._brski-registrar._tcp IN SRV 3 0 $RELAY_PORT alias" "alias IN CNAME here" "here IN A $HERE"
    run --separate-stderr -0 discovered
    [ "$output" = "https://$HERE:$closed"$'\n'"https://$HERE:$other"$'\n'"https://$HERE:$RELAY_PORT" ]
    run --separate-stderr -0 run_discovered
    [[ $stderr == *"$HERE:$closed"*"no voucher for this device"*"$HERE:$other"*"no voucher for this device"* ]]
    openssl x509 -in new.pem -noout -ext subjectAltName | grep -q pledgeid.domain.com
}

@test "FLD-E16: a registrar whose voucher does not verify is told so, and the device gets nothing" {
    ipv4
    local_registrar "$HERE"
    local rogue=$RELAY_PORT
    start_home "_brski-registrar._tcp IN PTR one._brski-registrar._tcp" "one._brski-registrar._tcp IN SRV 1 0 $rogue here" "here IN A $HERE"
    brski-masa make-idevid --dir other --serial other --masa-url 127.0.0.1:1 --key-out other.key -o other.pem
    ANCHOR=other/vendor.pem run --separate-stderr run_discovered
    [ "$status" = 77 ]
    [[ $stderr == *"$HERE:$rogue has no voucher for this device: voucher"* ]]
    grep -q 'voucher not accepted' "$PKI/relay.log"
    [ ! -e new.pem ]
}

@test "FLD-E16: forged and hostile answers on the link lead nowhere" {
    ip address add 2001:db8:5::1/128 dev "$LINK" nodad
    answer_oddly '{"junk": 1, "answers": []}' \
        "$(offer id host.local 1 fe80::66 '"id": 1')" \
        "$(offer name host.local 1 fe80::66 '"name": "_other._tcp.local"')" \
        "$(offer question host.local 1 fe80::66 '"question": false')" \
        "$(offer port host.local 1 fe80::66 '"port": 1')" \
        "$(offer source host.local 1 fe80::66 '"source": "2001:db8:5::1"')" \
        "$(offer loopback loop.local 1 127.0.0.1)" "$(offer six six.local 1 ::1)" "$(offer group group.local 1 ff02::1)" \
        "$(offer zero zero.local 0 fe80::66)" \
        '{"answers": [["_brski-registrar._tcp.local", "PTR", "x.elsewhere.local"]]}'
    all_are_ignored() { # those that came within a second of the question
        run --separate-stderr discovered -v
        [[ $status == 69 && $stderr == *"the address 127.0.0.1 is ignored"* && $stderr == *"the address ::1 is ignored"* &&
            $stderr == *"the address ff02::1 is ignored"* && $stderr == *"it is not available"* &&
            $stderr == *"x.elsewhere.local is ignored"* && $output$stderr != *fe80::66* ]]
    }
    wait_for 20 all_are_ignored || { echo "$output$stderr" && false; }
    # The same host, telling the truth.
    stop_all
    answer_oddly "$(offer right host.local 8443 fe80::1)"
    run --separate-stderr -0 discovered
    [ "$output" = "https://[fe80::1%25far]:8443" ]
}

@test "FLD-E16: join proxies come before registrars, and a crowd is cut" {
    local replies=() i
    for i in $(seq 40); do replies+=("$(offer "r$i" "h$i.local" "$i" "fe80::$i")"); done
    replies+=("$(offer proxy proxy.local 8443 fe80::abc | sed 's/_brski-registrar/_brski-proxy/g')")
    answer_oddly "${replies[@]}"
    run --separate-stderr -0 discovered
    [ "${lines[0]}" = "https://[fe80::abc%25far]:8443" ]
    [ "${#lines[@]}" = 17 ]
}

@test "FLD-E16: nobody answers: 69 and what can be done; options without --discover are usage errors" {
    run --separate-stderr -69 discovered --json
    [ "$(jq -r .code <<<"$output")" = noRegistrar ] || [ "$(jq -r .code <<<"$output")" = dnsTimeout ] ||
        [ "$(jq -r .code <<<"$output")" = dnsNoRoute ]
    run --separate-stderr -69 discovered --interface nosuch --json
    [ "$(jq -r .code <<<"$output")" = noInterface ]
    run --separate-stderr -69 run_discovered
    [ ! -e new.key ]
    local options
    for options in "--discover --registrar https://r.example" "--discover --cloud https://r.example" \
        "--registrar https://r.example --interface far" "--registrar https://r.example --domain home.test" ""; do
        # shellcheck disable=SC2086 # several words
        run --separate-stderr -64 brski-pledge run "${PLEDGE[@]}" --manufacturer-ta "$MAKER/vendor.pem" --key-out new.key $options
    done
}
