#!/usr/bin/env python3
"""A DNS server for domain.com on loopback that says odd things before the right answer, or instead of it.

odd_dns.py RECORDS KEY [MODE...]: prints its port (UDP and TCP). RECORDS is a file of lines "NAME VALUE", the TXT
records, read anew for each question; an update appends to it, and the algorithm and fudge of its TSIG record are the last
line of RECORDS.tsig. KEY is a TSIG key, hmac-sha256:NAME:BASE64. Modes, sent
before the answer:
  echo           the query as it came
  garbage        the query's Id, and octets that are no message
  otherId        the answer with another Id
  otherName      an answer to a question for another name, NXDOMAIN
  otherType      an answer to a question for another type
  noQuestion     the answer without its question
  broken         the right header and question, and an answer section that is none
  tsig=HOW       to updates: the answer signed wrongly, with HOW one of none, wrong, otherKey, empty, late
and:
  only           nothing comes after these
  tcp            answers to queries are truncated over UDP; what is above goes over TCP
  otherOwner     TXT and CAA records stand at stranger.domain.com, whatever was asked
  strayAlias     the same, with a CNAME of x.domain.com before them that leads there
  caa            there is a CAA record that lets elsewhere.example issue
  alias          the name that was asked for is an alias of end.domain.com, which has its TXT records
  cnameLoop      the name that was asked for is an alias of itself
  cnameChain     ... of 0.domain.com, which is one of 1.domain.com, and so on to 200, in one answer
  texts          more TXT records, of control characters, of nothing, of 20 strings with 255 octets
  noSoa          negative answers are without the zone's SOA
  labels         more records at names with control characters; zone and server are named so, too
  caaTexts       CAA records with control characters in tag, value and issuer
  loop, forward  the first record's name is a compression pointer to itself, or beyond the message
  counts         the header says 65535 records
  cut            the last ten octets are missing
  more           junk follows the message
"""
import base64
import hashlib
import hmac
import socket
import socketserver
import struct
import sys
import threading
import time

RECORDS, KEY, MODES = sys.argv[1], sys.argv[2], sys.argv[3:]
TYPES = {"a": 1, "ns": 2, "cname": 5, "soa": 6, "txt": 16, "tsig": 250, "caa": 257}
ZONE, NS = "domain.com", "ns.domain.com"
UPDATE = 5
TSIG = next((mode[5:] for mode in MODES if mode.startswith("tsig=")), "")


CONTROLS = b"a\n\x1b[2J\x07\0\x7f\xc2\x9b"


def wire_name(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def read_name(message, at):
    labels = []
    end = None
    while message[at]:
        if message[at] >= 0xC0:
            end = end or at + 2
            at = (message[at] & 0x3F) << 8 | message[at + 1]
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), end or at + 1


def record(name, kind, data, dns_class=1, ttl=0):
    return wire_name(name) + struct.pack("!HHIH", TYPES[kind], dns_class, ttl, len(data)) + data


def read_records(message, at, count):
    """[(name, type, class, data, where it begins)], and where they end"""
    found = []
    for _ in range(count):
        begin = at
        name, at = read_name(message, at)
        kind, dns_class, _, size = struct.unpack("!HHIH", message[at:at + 10])
        found.append((name, kind, dns_class, message[at + 10:at + 10 + size], begin))
        at += 10 + size
    return found, at


def texts(name):
    with open(RECORDS, encoding="utf-8") as file:
        pairs = [line.split() for line in file if line.strip()]
    return [value.encode() for owner, value in pairs if owner == name]


def txt(owner, values):
    return [record(owner, "txt", bytes([len(value)]) + value) for value in values]


NUMBERS = struct.pack("!IIIII", 1, 3600, 600, 86400, 60)
SOA = record(ZONE, "soa", wire_name(NS) + wire_name("hostmaster." + ZONE) + NUMBERS)


def answers_for(name, kind):
    odd_name = bytes([len(CONTROLS)]) + CONTROLS
    if kind == TYPES["soa"] and name == ZONE:
        return [SOA]
    if kind == TYPES["ns"]:
        return [record(name, "ns", (odd_name if "labels" in MODES else b"") + wire_name(NS))]
    if kind == TYPES["caa"] and "caaTexts" in MODES:
        return [record(name, "caa", b"\0" + bytes([len(tag)]) + tag + value)
                for tag in (b"issue", CONTROLS, b"") for value in (CONTROLS, b"; accounturi=" + CONTROLS, b"")]
    if kind == TYPES["a"]:
        return [record(name, "a", socket.inet_aton("127.0.0.1"))]
    if kind == TYPES["caa"] and "caa" in MODES:
        owner = "stranger.domain.com" if "otherOwner" in MODES else name
        return [record(owner, "caa", b"\0\5issueelsewhere.example")]
    if kind != TYPES["txt"]:
        return []
    if "cnameLoop" in MODES:
        return [record(name, "cname", wire_name(name))]
    if "cnameChain" in MODES:
        names = [name, *(f"{i}.{ZONE}" for i in range(201))]
        return [record(one, "cname", wire_name(two)) for one, two in zip(names, names[1:])] + txt(names[-1], texts(name))
    if "texts" in MODES:
        return [record(name, "txt", data) for data in (b"", b"\0", (b"\xff" + b"x" * 255) * 20, b"\5ab")] + \
            txt(name, [CONTROLS, *texts(name)])
    if "labels" in MODES:
        return [odd_name + one for one in txt(name, [b"v"])] + txt(name, texts(name))
    if "alias" in MODES:
        return [record(name, "cname", wire_name("end.domain.com"))] + txt("end.domain.com", texts(name))
    if "otherOwner" in MODES:
        return txt("stranger.domain.com", texts(name))
    if "strayAlias" in MODES:
        alias = record("x.domain.com", "cname", wire_name("stranger.domain.com"))
        return [alias] + txt("stranger.domain.com", texts(name))
    return txt(name, texts(name))


def message(asked, question, answers=(), rcode=0, flags=0):
    opcode = asked[2] & 0x78
    header = asked[:2] + bytes([0x84 | opcode | flags, rcode])
    authority = [] if answers or opcode or "noSoa" in MODES else [SOA]
    counts = struct.pack("!HHHH", 1 if question else 0, len(answers), len(authority), 0)
    return header + counts + question + b"".join(answers) + b"".join(authority)


def spoiled(reply, question):
    """The reply with what MODES say of its octets."""
    if "counts" in MODES:
        reply = reply[:6] + b"\xff\xff" + reply[8:]
    at = 12 + len(question)
    if len(reply) > at:
        for mode, pointer in (("loop", 0xC000 | at), ("forward", 0xFFFF)):
            if mode in MODES:
                reply = reply[:at] + struct.pack("!H", pointer) + reply[at:]
    if "cut" in MODES:
        reply = reply[:-10]
    return reply + (b"\xff" * 100 if "more" in MODES else b"")


def signed(reply, request_mac, how):
    """The reply with a TSIG record (RFC 8945 section 4.3)."""
    _, name, secret = KEY.split(":")
    name = "other.key" if how == "otherKey" else name
    if how == "none":
        return reply
    if how == "empty":
        return reply[:10] + struct.pack("!H", 1) + reply[12:] + record(name, "tsig", b"", 255)
    algorithm = wire_name("hmac-sha256")
    when = struct.pack("!Q", int(time.time()) - (3600 if how == "late" else 0))[2:]
    fudge = struct.pack("!H", 300)
    variables = wire_name(name) + struct.pack("!HI", 255, 0) + algorithm + when + fudge + bytes(4)
    digest = hmac.new(base64.b64decode(secret), struct.pack("!H", len(request_mac)) + request_mac + reply + variables,
                      hashlib.sha256).digest()
    if how == "wrong":
        digest = digest[:-1] + bytes([digest[-1] ^ 1])
    data = algorithm + when + fudge + struct.pack("!H", len(digest)) + digest + reply[:2] + bytes(4)
    return reply[:10] + struct.pack("!H", 1) + reply[12:] + record(name, "tsig", data, 255)


def update(asked, at):
    """Takes the update; the MAC of its TSIG record."""
    _, prerequisites, updates, additional = struct.unpack("!HHHH", asked[4:12])
    _, at = read_records(asked, at, prerequisites)
    changes, at = read_records(asked, at, updates)
    with open(RECORDS, "a", encoding="utf-8") as file:
        for name, _, dns_class, data, _ in changes:
            if dns_class == 1:
                file.write(f"{name} {data[1:].decode()}\n")
    for _, kind, _, data, _ in read_records(asked, at, additional)[0]:
        if kind == TYPES["tsig"]:
            algorithm, after = read_name(data, 0)
            with open(RECORDS + ".tsig", "a", encoding="utf-8") as file:
                file.write(f"{algorithm} {struct.unpack('!H', data[after + 6:after + 8])[0]}\n")
            size = struct.unpack("!H", data[after + 8:after + 10])[0]
            return data[after + 10:after + 10 + size]
    return b""


def replies(asked):
    """What is sent for a query or an update, one after the other."""
    name, end = read_name(asked, 12)
    kind = struct.unpack("!H", asked[end:end + 2])[0]
    question = asked[12:end + 4]
    if asked[2] >> 3 & 0xF == UPDATE:
        mac = update(asked, end + 4)
        good = message(asked, question)
        right = signed(good, mac, "")
        odd = [signed(good, mac, TSIG)] if TSIG else []
    else:
        right = spoiled(message(asked, question, answers_for(name, kind)), question)
        odd = []
    other = wire_name("other." + ZONE) + question[-4:]
    for mode in MODES:
        odd += {
            "echo": lambda: [asked],
            "garbage": lambda: [asked[:2] + b"\xff" * 40],
            "otherId": lambda: [bytes([right[0], right[1] ^ 1]) + right[2:]],
            "otherName": lambda: [message(asked, other, rcode=3)],
            "otherType": lambda: [message(asked, question[:-4] + struct.pack("!HH", 28, 1))],
            "noQuestion": lambda: [message(asked, b"")],
            "broken": lambda: [message(asked, question, [b"\xc0"])],
        }.get(mode, lambda: [])()
    # What "only" is for was said; what it is not for is answered as it should be.
    return odd if "only" in MODES and odd else odd + [right]


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        asked, sock = self.request
        if "tcp" in MODES and asked[2] >> 3 & 0xF != UPDATE:
            _, end = read_name(asked, 12)
            sock.sendto(message(asked, asked[12:end + 4], flags=2), self.client_address)
            return
        for reply in replies(asked):
            sock.sendto(reply, self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        size = struct.unpack("!H", self.rfile.read(2))[0]
        reply = replies(self.rfile.read(size))[0]
        self.wfile.write(struct.pack("!H", len(reply)) + reply)


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


def servers():
    """UDP and TCP on one port, whichever is free for both."""
    while True:
        tcp = TcpServer(("127.0.0.1", 0), Tcp)
        try:
            return tcp, UdpServer(tcp.server_address, Udp)
        except OSError:
            tcp.server_close()


tcp_server, udp_server = servers()
threading.Thread(target=tcp_server.serve_forever, daemon=True).start()
print(tcp_server.server_address[1], flush=True)
udp_server.serve_forever()
