#!/usr/bin/env python3
"""An ACME server for one account, one order and one authorization that says odd things on demand.

odd_ca.py CERTIFICATE KEY LOG [MODE...]: prints its port. LOG gets one JSON document per request: time, method, path,
headers, and of a JWS the protected header and the payload (null if it is empty). An authorization is valid once a challenge was answered; nothing is ever issued.
Modes:
  redirect      the directory moved
  nonce204      newNonce answers 204 to HEAD
  silent        newAccount is read and never answered
  headers       hundreds of header fields
  longHeader    one header field of 200 KiB
  badHeader     a header line without a colon
  folded        a header field on two lines
  retry=STATUS  newAccount is refused with this status and Retry-After: 120
  eab           meta.externalAccountRequired
  nonce429      newNonce answers 429 with Retry-After: 120
  keyChange=STATUS
                keyChange is offered and answers this status; 409 with the URL of another account
  usedOnce      an external account binding is accepted once
  relative      the account's URL is a relative reference
  known         newAuthz answers 200 instead of 201
  nowhere       newOrder and newAuthz answer without Location
  slowly        after a challenge was answered it is "processing" and shows an error, and the authorization is pending,
                in the next two replies, which have Retry-After: 1
  deaf          changes of the account and of authorizations are answered with 200 and not made
  account=FILE, order=FILE, authz=FILE, challenge=FILE, meta=FILE, later=FILE
                the members of FILE, a JSON object read anew for each reply, stand in the object instead of those that
                are right; later: in the authorization once a challenge was answered
  refuse=FILE   newOrder and newAuthz are refused with 403 and FILE as the problem document
"""
import base64
import http.server
import json
import ssl
import sys
import time

MODES = sys.argv[4:]


KEYS = []  # of the account
ACCOUNT = {"status": "valid"}
ORDER = {"status": "pending"}
AUTHORIZATION = {"status": "pending"}
POLLS = []  # of the authorization, after a challenge was answered


def members(name):
    """What MODES say of an object, in place of its right members."""
    for mode in MODES:
        if mode.startswith(name + "="):
            with open(mode[len(name) + 1:], encoding="utf-8") as file:
                return json.load(file)
    return {}


def status_of(name):
    for mode in MODES:
        if mode.startswith(name + "="):
            return int(mode[len(name) + 1:])
    return 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def url(self, path):
        return f"https://127.0.0.1:{self.server.server_port}{path}"

    def note(self, body=b""):
        entry = {"time": time.time(), "method": self.command, "path": self.path, "headers": dict(self.headers.items())}
        payload = None
        if body:
            text = json.loads(body)["protected"]
            entry["protected"] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            self.protected = entry["protected"]
            text = json.loads(body)["payload"]
            payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) or b"null")
            entry["payload"] = payload
        with open(sys.argv[3], "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        return payload

    def answer(self, status, document=None, **headers):
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Replay-Nonce", base64.urlsafe_b64encode(str(time.time_ns()).encode()).decode().rstrip("="))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "headers" in MODES:
            for i in range(500):
                self.send_header(f"X-Junk-{i}", "x")
        if "longHeader" in MODES:
            self.send_header("X-Junk", "x" * 200_000)
        if "badHeader" in MODES:
            self._headers_buffer.append(b"no colon here\r\n")
        if "folded" in MODES:
            self._headers_buffer.append(b"X-Folded: one\r\n two\r\n")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.note()
        if "nonce429" in MODES:
            self.answer(429, Retry_After="120")
        else:
            self.answer(204 if "nonce204" in MODES else 200)

    def do_GET(self):
        self.note()
        if "redirect" in MODES and self.path == "/directory":
            self.answer(301, Location=self.url("/moved"))
            return
        meta = {"externalAccountRequired": True} if "eab" in MODES else members("meta")
        offer = {"keyChange": self.url("/key")} if status_of("keyChange") else {}
        self.answer(200, {"newNonce": self.url("/nonce"), "newAccount": self.url("/account"),
                          "newOrder": self.url("/order"), "newAuthz": self.url("/authz"), "meta": meta, **offer})

    def refuse(self):
        self.answer(403, members("refuse"), Content_Type="application/problem+json")

    def order(self, payload):
        if payload:
            ORDER["identifiers"] = payload["identifiers"]
            first = payload["identifiers"][0]
            AUTHORIZATION["identifier"] = {"type": first["type"], "value": first["value"].removeprefix("*.")}
        links = {"authorizations": [self.url("/authz/1")], "finalize": self.url("/finalize/1")}
        location = {} if "nowhere" in MODES else {"Location": self.url("/order/1")}
        self.answer(201 if payload else 200, {**ORDER, **links, **members("order")}, **location)

    def authorization(self, payload):
        if payload and "identifier" in payload:
            AUTHORIZATION["identifier"] = {key: payload["identifier"][key] for key in ("type", "value")}
        elif payload and "deaf" not in MODES:
            AUTHORIZATION.update(payload)
        challenges = []
        for kind in ("http-01", "dns-01", "tls-alpn-01", "dns-persist-01"):
            proof = {"issuer-domain-names": ["ca.example"]} if kind == "dns-persist-01" else {"token": "tokentoken" * 4}
            challenges.append({"type": kind, "url": self.url("/challenge/1"), "status": "pending", **proof,
                               **members("challenge")})
        later = members("later") if AUTHORIZATION["status"] == "valid" else {}
        headers = {} if "nowhere" in MODES else {"Location": self.url("/authz/1")}
        if "slowly" in MODES and AUTHORIZATION["status"] == "valid" and len(POLLS) < 2:
            POLLS.append(time.time())
            headers["Retry-After"] = "1"
            error = {"type": "urn:ietf:params:acme:error:dns", "detail": "no such record yet"}
            later = {"status": "pending", "challenges": [{**one, "status": "processing", "error": error} for one in challenges]}
        self.answer(201 if payload and "known" not in MODES else 200,
                    {**AUTHORIZATION, "challenges": challenges, **members("authz"), **later}, **headers)

    def account(self, payload):
        """Answers a newAccount that is refused; false if it was."""
        key = self.protected.get("jwk")
        if payload.get("onlyReturnExisting") and KEYS != [key]:
            problem = ("accountDoesNotExist", "no account has this key")
        elif "usedOnce" in MODES and KEYS and "externalAccountBinding" in payload:
            problem = ("unauthorized", "the binding was used")
        else:
            KEYS[:] = [key]
            return True
        self.answer(400, {"type": "urn:ietf:params:acme:error:" + problem[0], "detail": problem[1]},
                    Content_Type="application/problem+json")
        return False

    def do_POST(self):
        payload = self.note(self.rfile.read(int(self.headers["Content-Length"])))
        if "silent" in MODES:
            time.sleep(30)
            return
        if status_of("retry"):
            self.answer(status_of("retry"), {"type": "about:blank", "detail": "later"}, Retry_After="120",
                        Content_Type="application/problem+json")
            return
        if self.path == "/key":
            self.answer(status_of("keyChange"), Location=self.url("/account/2"))
        elif self.path in ("/order", "/authz") and members("refuse"):
            self.refuse()
        elif self.path in ("/order", "/order/1"):
            self.order(payload)
        elif self.path in ("/authz", "/authz/1"):
            self.authorization(payload)
        elif self.path == "/challenge/1":
            AUTHORIZATION["status"] = "valid"
            self.answer(200, {})
        else:
            if self.path == "/account" and not self.account(payload):
                return
            if payload and (self.path == "/account" or "deaf" not in MODES):
                ACCOUNT.update({key: payload[key] for key in ("contact", "status") if key in payload})
            location = "/account/1" if "relative" in MODES else self.url("/account/1")
            self.answer(201 if self.path == "/account" else 200, {**ACCOUNT, **members("account")}, Location=location)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
