"""webhook_receiver.py PORT CERTIFICATE KEY FAILURES FILE: answers so many POSTs with 503, then with 204; each is a line of FILE."""
import http.server
import json
import ssl
import sys

port, certificate, key, failures, file = sys.argv[1:]
left = int(failures)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def do_POST(self):
        global left
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps({"target": self.path, "id": self.headers["webhook-id"],
                                  "timestamp": self.headers["webhook-timestamp"],
                                  "signature": self.headers["webhook-signature"], "body": body}) + "\n")
        self.send_response(503 if left > 0 else 204)
        left -= 1
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", int(port)), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
