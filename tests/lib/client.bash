# What the clients of a CA have without a relay. Needs common.bash, dns.bash and ca.bash.

# client_world: for all tests of a file, domain.com at Knot, acme-ca which asks it, and in FILES an account that is
# authorized for the domain and what is below it.
client_world() {
    cd "$BATS_FILE_TMPDIR" || return
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    acme-preauth run -q --subdomains --dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY" -o authz.json domain.com
    export CA_LOG CA_DIRECTORY DNS_SERVER TSIG_KEY PIDS="${STARTED[*]}" FILES=$PWD
}

# client_world_ends: what it started.
client_world_ends() {
    read -ra STARTED <<<"$PIDS"
    stop_all
}

# client_test: for one test, its folder with the key k and the request c.csr for NAME.
client_test() {
    cd "$BATS_TEST_TMPDIR" || return
    NAME="n$BATS_TEST_NUMBER.domain.com"
    csr-build --new-key ec:P-256 --key-out k --dns "$NAME" -o c.csr
}
