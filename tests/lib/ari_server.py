#!/usr/bin/env python3
"""Renewal information of the test's own in front of an ACME server.

ari_server.py CERTIFICATE KEY DIRECTORY ANSWER LOG: prints its port. /directory is the document in the file DIRECTORY with
"renewalInfo" leading here; /ari/ID answers with the file ANSWER, with Retry-After from ANSWER.retry, or 404 where there is none.
LOG gets a line for each ID that was asked for, and whether the request bore anything but a GET's headers.
"""
import http.server
import json
import os
import ssl
import sys

CERTIFICATE, KEY, DIRECTORY, ANSWER, LOG = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/directory":
            with open(DIRECTORY, encoding="utf-8") as file:
                document = json.load(file)
            document["renewalInfo"] = f"https://127.0.0.1:{self.server.server_port}/ari"
            self.answer(200, json.dumps(document).encode(), Content_Type="application/json")
            return
        with open(LOG, "a", encoding="utf-8") as log:
            signed = "signed" if self.headers.get("Authorization") or self.headers.get("Content-Length") else "plain"
            log.write(f"{self.path.removeprefix('/ari/')} {signed}\n")
        if not os.path.exists(ANSWER):
            self.answer(404, b'{"type":"urn:ietf:params:acme:error:malformed","detail":"no such certificate"}')
            return
        retry = {}
        if os.path.exists(ANSWER + ".retry"):
            with open(ANSWER + ".retry", encoding="utf-8") as file:
                retry = {"Retry_After": file.read().strip()}
        with open(ANSWER, "rb") as file:
            self.answer(200, file.read(), Content_Type="application/json", **retry)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
