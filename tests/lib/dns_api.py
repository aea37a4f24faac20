#!/usr/bin/env python3
"""Stand-in for a DNS provider's REST API in Cloudflare's style, for the tests of examples/dns-hooks/cloud-api.

dns_api.py TOKEN_FILE ZONE_ID HOST:PORT TSIG_KEY ZONE LOG: prints its port. Records go to a name server by knsupdate(1), so
that a CA sees them. Each request is a line in LOG: method, path and status.
"""
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN_FILE, ZONE_ID, SERVER, TSIG_KEY, ZONE, LOG = sys.argv[1:]
RECORDS_PATH = f"/client/v4/zones/{ZONE_ID}/dns_records"
records = {}


def update(change):
    host, port = SERVER.rsplit(":", 1)
    text = f"server {host} {port}\nzone {ZONE}\n{change}\nsend\n"
    subprocess.run(["knsupdate", "-k", TSIG_KEY], input=text, text=True, check=True, stdout=subprocess.DEVNULL)


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, result):
        body = json.dumps({"success": status == 200, "result": result}).encode()
        with open(LOG, "a") as log:
            print(self.command, self.path, status, file=log)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def permitted(self):
        with open(TOKEN_FILE) as token:
            if self.headers["Authorization"] == "Bearer " + token.read().strip():
                return True
        self.answer(403, "invalid token")
        return False

    def do_POST(self):
        record = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.permitted():
            return
        if self.path != RECORDS_PATH or record["type"] != "TXT":
            return self.answer(400, "bad request")
        record["id"] = f"id{len(records)}"
        records[record["id"]] = record
        update(f"add {record['name']} {record['ttl']} TXT {record['content']}")
        self.answer(200, record)

    def do_GET(self):
        if not self.permitted():
            return
        url = urlsplit(self.path)
        name = parse_qs(url.query).get("name")
        if url.path != RECORDS_PATH or name is None:
            return self.answer(400, "bad request")
        self.answer(200, [record for record in records.values() if record["name"] == name[0]])

    def do_DELETE(self):
        if not self.permitted():
            return
        record = records.pop(self.path.removeprefix(RECORDS_PATH + "/"), None)
        if record is None:
            return self.answer(404, "no such record")
        update(f"del {record['name']} TXT {record['content']}")
        self.answer(200, {"id": record["id"]})

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
