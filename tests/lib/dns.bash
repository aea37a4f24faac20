# Knot and BIND on loopback, authoritative for zones that may be updated with a TSIG key. Needs common.bash.

# write_zone FILE ZONE: the zone's name server is this very host; DNS_EXTRA holds further lines.
write_zone() {
    cat >"$1" <<EOF
\$TTL 60
@ IN SOA ns.$2. hostmaster.$2. 1 3600 600 86400 60
@ IN NS ns.$2.
@ IN A 127.0.0.1
* IN A 127.0.0.1
ns IN A 127.0.0.1
${DNS_EXTRA:-}
EOF
}

# start_knot DIR ZONE...: sets DNS_SERVER (host:port) and TSIG_KEY (file). The key may change TXT records at
# _acme-challenge names only. DNS_PORT may be set before.
start_knot() {
    local dir=$1 port zone secret
    shift
    mkdir -p "$dir/zones" "$dir/run"
    port=${DNS_PORT:-$(free_port)}
    printf -v secret '%08x' "$SRANDOM" "$SRANDOM" "$SRANDOM" "$SRANDOM" "$SRANDOM" "$SRANDOM" "$SRANDOM" "$SRANDOM" # base64, too
    TSIG_KEY="$dir/tsig.key"
    (umask 077 && echo "hmac-sha256:acme.key:$secret" >"$TSIG_KEY")
    {
        cat <<EOF
server:
    listen: 127.0.0.1@$port
    rundir: "$dir/run"
database:
    storage: "$dir/run"
log:
  - target: stderr
    any: warning
key:
  - id: acme.key
    algorithm: hmac-sha256
    secret: $secret
acl:
  - id: acme
    key: acme.key
    action: update
    update-type: TXT
template:
  - id: default
    storage: "$dir/zones"
    journal-content: changes
    zonefile-load: difference
    acl: acme
zone:
EOF
        for zone in "$@"; do
            write_zone "$dir/zones/$zone.zone" "$zone"
            echo "  - domain: $zone"
        done
    } >"$dir/knot.conf"
    knotd -c "$dir/knot.conf" >"$dir/knot.log" 2>&1 &
    STARTED+=($!)
    DNS_SERVER=127.0.0.1:$port
    wait_for 20 dns_answers "$port" "$1"
}

# start_bind DIR ZONE...: the same with BIND; the policy allows TXT at _acme-challenge of each zone.
start_bind() {
    local dir=$1 port zone
    shift
    mkdir -p "$dir"
    chmod 755 "$dir"
    port=$(free_port)
    TSIG_KEY="$dir/tsig.key"
    (umask 077 && tsig-keygen -a hmac-sha256 acme.key >"$TSIG_KEY")
    {
        cat "$TSIG_KEY"
        cat <<EOF
options { directory "$dir"; listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };
  pid-file "$dir/named.pid"; session-keyfile "$dir/session.key"; recursion no; dnssec-validation no; notify no; };
controls { };
EOF
        for zone in "$@"; do
            write_zone "$dir/$zone.zone" "$zone"
            echo "zone \"$zone\" { type primary; file \"$dir/$zone.zone\"; update-policy { grant acme.key name _acme-challenge.$zone. TXT; }; };"
        done
    } >"$dir/named.conf"
    chmod 600 "$dir/named.conf"
    named -g -c "$dir/named.conf" -p "$port" >"$dir/named.log" 2>&1 &
    STARTED+=($!)
    DNS_SERVER=127.0.0.1:$port
    wait_for 20 dns_answers "$port" "$1"
}

# dns_answers PORT ZONE: true once the server has the zone. By TCP, which is refused at once where nobody listens yet.
dns_answers() {
    [[ -n "$(kdig @127.0.0.1 -p "$1" +tcp +short +time=1 +retry=0 SOA "$2" 2>/dev/null)" ]]
}

# txt_values NAME: the TXT values that DNS_SERVER has there.
txt_values() {
    kdig @127.0.0.1 -p "${DNS_SERVER##*:}" +short +time=2 TXT "$1"
}
