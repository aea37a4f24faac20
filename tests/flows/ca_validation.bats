#!/usr/bin/env bats
# What acme-ca looks at before it issues: http-01 through redirects, and CAA records at issuance.

load ../lib/common
load ../lib/dns
load ../lib/ca

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    stop_all
}

begin() { # OPTION...
    start_knot "$PWD/dns" domain.com
    start_ca "$PWD/ca" --dns-server "$DNS_SERVER" "$@"
    acme-account register --directory "$CA_DIRECTORY" --ca-file "$CA_FILE" -q -o account.json
    SOLVER=(--dns-update "$DNS_SERVER" --tsig-key "$TSIG_KEY")
}

# A web server at PORT and, with a certificate of its own, at TLS_PORT. A request for the challenge is redirected to the
# first line of the file "to", with STATUS; other paths are files of web.
start_web() {
    PORT=$(free_port)
    TLS_PORT=$(free_port)
    mkdir web
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout web.key -out web.pem -subj /CN=web -days 2 2>/dev/null
    cat >web.py <<'END'
import http.server, os, ssl, sys, threading
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        token = self.path.rsplit("/", 1)[-1]
        status, to = open("to").read().split()
        if self.path.startswith("/.well-known/") and not self.server.tls or "again" in self.path:
            self.send_response(int(status))
            self.send_header("Location", to.replace("TOKEN", token))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.path = "/.well-known/acme-challenge/" + token
            super().do_GET()
def serve(port, tls):
    handler = lambda *a: Handler(*a, directory="web")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.tls = tls
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("web.pem", "web.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=False).start()
serve(int(sys.argv[1]), False)
serve(int(sys.argv[2]), True)
print("ready", flush=True)
END
    echo "302 /" >to
    python3 web.py "$PORT" "$TLS_PORT" >web.ready 2>web.err &
    STARTED+=($!)
    wait_for 10 grep -q ready web.ready
}

@test "FLD-A17, CA-14a: http-01 through redirects: relative, to another name, to https with any certificate, several" {
    start_web
    begin --http-port "$PORT" --tls-port "$TLS_PORT" --allow-loopback
    local to
    for to in "302 /other/TOKEN" "301 http://elsewhere.domain.com:$PORT/x/TOKEN" "307 https://elsewhere.domain.com:$TLS_PORT/TOKEN" \
        "308 http://127.0.0.1:$PORT/x/TOKEN"; do
        echo "$to" >to
        echo "$to"
        csr-build --new-key ec:P-256 --key-out k --dns "h$RANDOM.domain.com" | acme-order run --webroot web -o c.pem
        rm k
    done
}

@test "FLD-A17, CA-14b: a redirect to a private address, another port or scheme, or without end is not followed (SEC-06)" {
    start_web
    begin --http-port "$PORT" --tls-port "$TLS_PORT" --allow-loopback
    local to
    while read -r to words; do
        echo "302 $to" >to
        csr-build --new-key ec:P-256 --key-out k --dns "h$RANDOM.domain.com" -o c.csr
        rm k
        run acme-order run --webroot web --json <c.csr
        echo "$to $output"
        [ "$status" = 77 ]
        [[ "$output" == *"$words"* ]]
    done <<END
http://10.0.0.1/TOKEN 10.0.0.1 may not be asked
http://[::ffff:10.0.0.1]:$PORT/TOKEN may not be asked
http://169.254.169.254/latest/meta-data may not be asked
http://127.0.0.1:22/TOKEN which may not be asked
https://127.0.0.1:$PORT/TOKEN which may not be asked
http://user:password@127.0.0.1:$PORT/TOKEN which may not be asked
file:///etc/passwd which may not be asked
ftp://127.0.0.1:$PORT/TOKEN which may not be asked
/again/TOKEN more than 10 redirects
END
}

@test "FLD-A17, CA-13: with --caa a certificate needs the records' permission: issuer, account, method, wildcard, parent" {
    DNS_EXTRA='other IN CAA 0 issue "elsewhere.example"
ours IN CAA 0 issue "lab.invalid"
none IN CAA 0 issue ";"
method IN CAA 0 issue "lab.invalid; validationmethods=dns-01"
web IN CAA 0 issue "lab.invalid; validationmethods=http-01"
account IN CAA 0 issue "lab.invalid; accounturi=https://lab.invalid/account/1"
wild IN CAA 0 issue "lab.invalid"
wild IN CAA 0 issuewild ";"
critical IN CAA 128 newproperty "x"'
    begin --issuer-domain lab.invalid --caa
    order() { # NAME...
        local names=() name
        for name in "$@"; do names+=(--dns "$name"); done
        rm -f k
        csr-build --new-key ec:P-256 --key-out k --allow-wildcard "${names[@]}" -o c.csr
        run acme-order run --json "${SOLVER[@]}" <c.csr
        echo "$output"
    }
    local name
    for name in free.domain.com ours.domain.com sub.ours.domain.com method.domain.com wild.domain.com; do
        order "$name"
        [ "$status" = 0 ]
    done
    for name in other.domain.com sub.other.domain.com none.domain.com web.domain.com account.domain.com '*.wild.domain.com' critical.domain.com; do
        order "$name"
        [ "$status" = 77 ]
        [[ "$output" == *'"code": "caa"'* && "$output" == *"the CAA records at"* ]]
    done
    order free.domain.com other.domain.com none.domain.com
    [ "$status" = 77 ]
    [[ "$output" == *compound* && "$output" == *other.domain.com* && "$output" == *none.domain.com* ]]
    # The authorization is from before; the record is looked at when the certificate is wanted.
    order later.domain.com
    [ "$status" = 0 ]
    knotc -c dns/knot.conf -b zone-begin domain.com
    knotc -c dns/knot.conf -b zone-set domain.com later 60 CAA '0 issue "elsewhere.example"'
    knotc -c dns/knot.conf -b zone-commit domain.com
    order later.domain.com
    [ "$status" = 77 ]
    [[ "$output" == *'"code": "caa"'* ]]
    # Without the switch nothing is looked up; the switch needs a name.
    run acme-ca serve --dir other --caa
    [ "$status" = 64 ]
}
