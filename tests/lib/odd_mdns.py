#!/usr/bin/env python3
"""A host that answers multicast DNS as a script says.

odd_mdns.py INTERFACE SCRIPT: SCRIPT is a JSON list of replies, which are sent for each question of type PTR on the
interface, by IPv6. A reply has "answers", a list of [NAME, TYPE, DATA] with TYPE one of PTR, SRV (DATA is
[PRIORITY, WEIGHT, PORT, TARGET]), A and AAAA, and may have
  "id": 1        another Id than that of the question
  "name": NAME   the question is for this name
  "question": false
  "port": 1      it comes from any other port than 5353
  "source": ADDRESS   it comes from this address of the interface
  "junk": 1      it is no message
Prints "ready" when it listens.
"""
import json
import socket
import struct
import sys

INTERFACE, SCRIPT = sys.argv[1], json.load(open(sys.argv[2]))
TYPES = {"A": 1, "PTR": 12, "AAAA": 28, "SRV": 33}
PORT, GROUP = 5353, "ff02::fb"


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(name, kind, data):
    if kind == "PTR":
        data = wire_name(data)
    elif kind == "SRV":
        data = struct.pack("!HHH", *data[:3]) + wire_name(data[3])
    else:
        data = socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, data)
    return wire_name(name) + struct.pack("!HHIH", TYPES[kind], 1, 10, len(data)) + data


def reply_to(query, reply):
    if "junk" in reply:
        return query[:2] + b"\x84\0" + b"\xff" * 20
    number = struct.unpack("!H", query[:2])[0] ^ reply.get("id", 0)
    question = query[12:]
    if "name" in reply:
        question = wire_name(reply["name"]) + question[-4:]
    if not reply.get("question", True):
        question = b""
    answers = [record(*one) for one in reply["answers"]]
    return struct.pack("!HHHHHH", number, 0x8400, 1 if question else 0, len(answers), 0, 0) + question + b"".join(answers)


def open_socket(address, port):
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port, 0, INDEX if address.startswith("fe80") else 0))
    return made


INDEX = socket.if_nametoindex(INTERFACE)
listener = open_socket("::", PORT)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP) + struct.pack("@I", INDEX))
print("ready", flush=True)
while True:
    message, peer = listener.recvfrom(9000)
    if message[2] & 0x80 or struct.unpack("!H", message[-4:-2])[0] != TYPES["PTR"]:
        continue
    for one in SCRIPT:
        sender = listener
        if "port" in one or "source" in one:
            sender = open_socket(one.get("source", "::"), 0 if "port" in one else PORT)
        sender.sendto(reply_to(message, one), peer)
