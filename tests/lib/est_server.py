#!/usr/bin/env python3
"""A scripted EST server for tests: answers by rules, notes what it was asked.

est_server.py --dir DIR --cert FILE --key FILE [--port PORT] [--client-ca FILE] [--tls 1.2|1.3]

DIR/rules.json, read anew for each request, counted from the first reply when it was changed: {"<operation>": [reply, ...]}; the nth request of an operation gets
the nth reply, the last one again and again. A reply:
    status, headers {}, body (text) or file (octets) or base64 (octets sent in base64, 64 columns),
    sign (true: answer with a certificate for the CSR, in the form `form`; a text: with that SAN in place of the CSR's,
        none if it is empty), form (lines, crlf, oneline, pem, der),
    basic "user:password", digest "user:password" (401 until it is right), close (true: end the connection after it),
    drop (true: end the connection instead of an answer), late (true: request the client certificate now; 403 without one,
    needs --late), delay (seconds before the answer)
DIR/log has one JSON object a request: operation, path, method, headers, body, connection, tls, client, binding.
Prints the port once it listens.
"""
import argparse
import base64
import hashlib
import http.server
import json
import os
import re
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

LOCK = threading.Lock()


def encode(octets, form):
    text = base64.b64encode(octets).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    if form == "oneline":
        return text.encode()
    if form == "crlf":
        return ("\r\n".join(lines) + "\r\n").encode()
    if form == "pem":
        return ("-----BEGIN PKCS7-----\n" + "\n".join(lines) + "\n-----END PKCS7-----\n").encode()
    if form == "der":
        return octets
    if form == "nul":  # what a server in C sends that takes the size of its buffer
        return ("\n".join(lines) + "\n\0").encode()
    return ("\n".join(lines) + "\n").encode()


def run(*arguments, stdin=None):
    return subprocess.run(arguments, input=stdin, check=True, capture_output=True).stdout


def certify(folder, csr, names=None):
    """A certs-only message with a certificate for the CSR, made once for each CSR. `names`: the SAN, None: the CSR's."""
    name = os.path.join(folder, "issued-" + hashlib.sha256(csr + repr(names).encode()).hexdigest())
    with LOCK:
        if not os.path.exists(name + ".p7"):
            with open(name + ".csr", "wb") as out:
                out.write(csr)
            with tempfile.NamedTemporaryFile("w", suffix=".cnf") as extensions:
                san = re.search(r"X509v3 Subject Alternative Name:[^\n]*\n\s*([^\n]+)",
                                run("openssl", "req", "-inform", "DER", "-in", name + ".csr", "-noout", "-text").decode())
                extensions.write("basicConstraints=CA:FALSE\n")
                if names is None and san:
                    names = san.group(1).replace("IP Address", "IP")
                if names:
                    extensions.write("subjectAltName=" + names + "\n")
                extensions.flush()
                run("openssl", "x509", "-req", "-inform", "DER", "-in", name + ".csr", "-CA", folder + "/ca.pem", "-CAkey",
                    folder + "/ca.key", "-days", "90", "-extfile", extensions.name, "-out", name + ".pem")
            run("openssl", "crl2pkcs7", "-nocrl", "-certfile", name + ".pem", "-outform", "DER", "-out", name + ".p7")
    with open(name + ".p7", "rb") as done:
        return done.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = ""
    counts = {}
    connections = 0

    def setup(self):
        super().setup()
        with LOCK:
            Handler.connections += 1
            self.connection_id = Handler.connections

    def log_message(self, *_):
        pass

    def note(self, operation, body):
        unique = self.connection.get_channel_binding("tls-unique") if self.connection.version() == "TLSv1.2" else None
        entry = {"operation": operation, "path": self.path, "method": self.command, "headers": dict(self.headers.items()),
                 "body": body.decode("latin-1"), "connection": self.connection_id, "tls": self.connection.version(),
                 "client": self.connection.getpeercert() and str(self.connection.getpeercert().get("subject")),
                 "binding": base64.b64encode(unique).decode() if unique else None}
        with LOCK, open(self.folder + "/log", "a") as log:
            log.write(json.dumps(entry) + "\n")

    def client_shown(self):
        """Requests the client certificate after the handshake, as Apache does for a folder; true if one came."""
        try:
            self.connection.verify_client_post_handshake()
            self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # the request goes out with what is written next
        except ssl.SSLError:
            return False  # the client did not offer it
        self.connection.settimeout(0.1)
        for _ in range(100):
            if self.connection.getpeercert():
                break
            try:
                self.connection.recv(1)  # has no octets, but reads the client's answer
            except TimeoutError:
                pass
        self.connection.settimeout(None)
        return bool(self.connection.getpeercert())

    def authorized(self, rule):
        given = self.headers.get("Authorization", "")
        if "basic" in rule:
            return given == "Basic " + base64.b64encode(rule["basic"].encode()).decode()
        user, password = rule["digest"].split(":")
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        if not given.startswith("Digest ") or fields.get("nonce") != "0123456789":
            return False
        digest = lambda text: hashlib.md5(text.encode()).hexdigest()
        return fields["response"] == digest(":".join([
            digest(f"{user}:est:{password}"), fields["nonce"], fields["nc"], fields["cnonce"], "auth",
            digest(f"{self.command}:{self.path}")]))

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = self.path.rsplit("/", 1)[-1]
        with open(self.folder + "/rules.json") as rules:
            replies = json.load(rules).get(operation, [{"status": 404}])
        key = (operation, os.stat(self.folder + "/rules.json").st_mtime_ns)  # new rules are counted from the first
        with LOCK:
            at = Handler.counts.get(key, 0)
            rule = replies[min(at, len(replies) - 1)]
        shown = not rule.get("late") or self.client_shown()
        self.note(operation, body)
        if not shown:
            return self.send(403, {"Content-Type": "text/plain"}, b"certificate required", rule)
        with LOCK:
            challenged = ("basic" in rule or "digest" in rule) and not self.authorized(rule)
            if not challenged:
                Handler.counts[key] = at + 1
        if challenged:
            how = 'Basic realm="est"' if "basic" in rule else 'Digest realm="est", nonce="0123456789", qop="auth"'
            return self.send(401, {"WWW-Authenticate": how}, b"who are you?", rule)
        time.sleep(rule.get("delay", 0))
        if rule.get("drop"):
            self.close_connection = True
            return None
        octets = rule.get("body", "").encode()
        headers = dict(rule.get("headers", {}))
        if "file" in rule or "base64" in rule:
            with open(rule.get("file") or rule["base64"], "rb") as source:
                octets = source.read()
            if "base64" in rule:
                octets = encode(octets, rule.get("form"))
        if "sign" in rule:
            octets = encode(certify(self.folder, base64.b64decode(body), None if rule["sign"] is True else rule["sign"]),
                            rule.get("form"))
            headers.setdefault("Content-Type", "application/pkcs7-mime; smime-type=certs-only")
        return self.send(rule.get("status", 200), headers, octets, rule)

    def send(self, status, headers, octets, rule):
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        if rule.get("chunked"):
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 204:
            self.send_header("Content-Length", str(len(octets)))
        if rule.get("close"):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if rule.get("chunked"):
            octets = b"%x\r\n%s\r\n0\r\n\r\n" % (len(octets), octets)
        self.wfile.write(octets)

    do_GET = answer
    do_POST = answer


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that refuses us is what some tests are about

    def finish_request(self, request, address):
        request.do_handshake()
        super().finish_request(request, address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--late", action="store_true", help="no client certificate in the handshake")
    for name in ("--dir", "--cert", "--key", "--client-ca", "--tls"):
        parser.add_argument(name)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    Handler.folder = options.dir
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    if options.tls == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if options.client_ca:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.post_handshake_auth = options.late
    server = Server(("127.0.0.1", options.port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
