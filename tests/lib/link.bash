# A link with two ends, for link-local addresses and multicast: a veth pair to a network namespace.

# make_link: LINK is the name of the namespace and of the interface on this side, with the address fe80::1; the other side is
# "far", with fe80::2. Skips the test without root.
make_link() {
    ((EUID == 0)) || skip "network namespaces need root"
    LINK=ll$BASHPID
    ip netns add "$LINK"
    ip link add "$LINK" type veth peer name far netns "$LINK"
    ip link set "$LINK" addrgenmode none up
    ip -n "$LINK" link set far addrgenmode none up
    ip address add fe80::1/64 dev "$LINK" nodad
    ip -n "$LINK" address add fe80::2/64 dev far nodad
}

remove_link() {
    [[ -n ${LINK:-} ]] || return 0
    ip netns delete "$LINK" 2>/dev/null || true
    ip link delete "$LINK" 2>/dev/null || true
}
