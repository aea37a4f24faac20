#!/usr/bin/env python3
"""A hostile NAS: odd_nas.py PORT SECRET sends odd packets to the RADIUS server at 127.0.0.1:PORT and prints what it did.

Each row of ROWS is one packet, or several of one conversation. The last one's answer has to be among those of the row:
"-" (none), "reject", "challenge". An answer must be authentic; Access-Accept is a failure. Ends with "N rows" and status 0 if
all rows went as they should.

odd_nas.py serve PORT SECRET NAME answers as a hostile server does instead (ANSWERS), for clients.
"""
import hashlib
import hmac
import os
import socket
import struct
import sys

USER_NAME, STATE, EAP, AUTHENTICATOR, PROXY_STATE, REPLY, CALLING = 1, 24, 79, 80, 33, 18, 31
CODES = {2: "accept", 3: "reject", 5: "accounting", 11: "challenge"}
NONE, REJECT, CHALLENGE = "-", "reject", "challenge"
CONTROLS = b"ceo\n{\"event\":\"x\"}\x1b[2J\x07\0\x7f\xc2\x9b"


def attribute(kind, value):
    return bytes([kind, len(value) + 2]) + value


def eap_attributes(eap):
    return b"".join(attribute(EAP, eap[at:at + 253]) for at in range(0, len(eap), 253)) or attribute(EAP, b"")


def eap(code, identifier, kind, data, length=None):
    size = 4 + (kind is not None) + len(data)
    return struct.pack("!BBH", code, identifier, size if length is None else length) + \
        (bytes([kind]) if kind is not None else b"") + data


class Nas:
    def __init__(self, port, secret):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.secret = secret
        self.identifier = 0
        self.state = b""
        self.eap = b"\0\0"

    def packet(self, attributes, code=1, length=None, sign="right", extra=b""):
        self.identifier = (self.identifier + 1) % 256
        authenticator = os.urandom(16)
        mac = {"none": b"", "short": attribute(AUTHENTICATOR, bytes(15)), "long": attribute(AUTHENTICATOR, bytes(17)),
               "twice": attribute(AUTHENTICATOR, bytes(16)) * 2}.get(sign, attribute(AUTHENTICATOR, bytes(16)))
        size = 20 + len(mac) + len(attributes)
        head = struct.pack("!BBH", code, self.identifier, size if length is None else length) + authenticator
        octets = head + mac + attributes
        if sign in ("right", "twice"):
            digest = hmac.new(self.secret, octets, hashlib.md5).digest()
            octets = head + attribute(AUTHENTICATOR, digest) + octets[20 + 18:]
        return octets + extra, authenticator

    def exchange(self, octets, authenticator, wait):
        self.socket.settimeout(wait)
        self.socket.send(octets)
        try:
            reply = self.socket.recv(5000)
        except (TimeoutError, ConnectionRefusedError):
            return NONE
        self.check(reply, authenticator, octets)
        return CODES.get(reply[0], str(reply[0]))

    def check(self, reply, authenticator, octets):
        if struct.unpack("!H", reply[2:4])[0] != len(reply) or reply[1] != octets[1]:
            raise ValueError("the answer's length or Identifier is wrong")
        if reply[4:20] != hashlib.md5(reply[:4] + authenticator + reply[20:] + self.secret).digest():
            raise ValueError("the answer's authenticator is wrong")
        state = body = b""
        at = 20
        while at < len(reply):
            kind, size = reply[at], reply[at + 1]
            value = reply[at + 2:at + size]
            if kind == STATE:
                state = value
            elif kind == EAP:
                body += value
            at += size
        if state:
            self.state, self.eap = state, body

    def answer(self, eap_packet, wait=60, state=None, more=b"", **how):
        """One round of the conversation."""
        kept = self.state if state is None else state
        attributes = eap_attributes(eap_packet) + (attribute(STATE, kept) if kept else b"") + more
        return self.exchange(*self.packet(attributes, **how), wait)

    def identity(self, name=b"device"):
        self.state = b""
        return self.answer(eap(2, 1, 1, name))

    def teap(self, flags, data=b"", identifier=None, **how):
        return self.answer(eap(2, self.eap[1] if identifier is None else identifier, 55, bytes([flags]) + data), **how)


SILENCE = 0.15  # a second look at what gets no answer costs this long
START = eap(2, 1, 1, b"device")
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"  # a TLS record with a handshake message that is none
BIG = struct.pack("!I", 0xFFFFFFFF)


def begun(*steps):
    """Steps after Identity; each is a function of the NAS, the last one's answer counts."""
    def run(nas):
        said = nas.identity()
        if said != CHALLENGE:
            return "no conversation: " + said
        for step in steps:
            said = step(nas)
        return said
    return run


def raw(octets):
    return lambda nas: nas.exchange(octets, bytes(16), SILENCE)


def signed(attributes, wait=60, **how):
    return lambda nas: nas.exchange(*nas.packet(attributes, **how), wait)


def replayed(nas):
    old = nas.state
    nas.teap(1, HELLO)
    return nas.answer(eap(2, nas.eap[1], 55, b"\1" + HELLO), state=old)


ROWS = {
    # Packets that are none.
    "empty": (raw(b""), NONE),
    "one octet": (raw(b"\1"), NONE),
    "header cut": (raw(b"\1\1\0\x14" + bytes(15)), NONE),
    "length 0": (signed(eap_attributes(START), SILENCE, length=0), NONE),
    "length 19": (signed(eap_attributes(START), SILENCE, length=19), NONE),
    "length beyond": (signed(eap_attributes(START), SILENCE, length=4000), NONE),
    "length 65535": (signed(eap_attributes(START), SILENCE, length=65535), NONE),
    "5000 octets": (signed(attribute(PROXY_STATE, bytes(253)) * 19 + bytes(160), SILENCE), NONE),
    "attribute of length 0": (signed(eap_attributes(START) + b"\1\0", SILENCE), NONE),
    "attribute of length 1": (signed(eap_attributes(START) + b"\1\1", SILENCE), NONE),
    "attribute beyond the end": (signed(eap_attributes(START) + b"\1\xff\0", SILENCE), NONE),
    "half an attribute": (signed(eap_attributes(START) + b"\1", SILENCE), NONE),
    "code 0": (signed(eap_attributes(START), SILENCE, code=0), NONE),
    "Access-Accept": (signed(eap_attributes(START), SILENCE, code=2), NONE),
    "code 255": (signed(eap_attributes(START), SILENCE, code=255), NONE),
    "Accounting unsigned": (signed(attribute(40, b"\0\0\0\1"), SILENCE, code=4), NONE),
    # Who is not authentic.
    "no Message-Authenticator": (signed(eap_attributes(START), SILENCE, sign="none"), NONE),
    "wrong Message-Authenticator": (signed(eap_attributes(START), SILENCE, sign="wrong"), NONE),
    "short Message-Authenticator": (signed(eap_attributes(START), SILENCE, sign="short"), NONE),
    "long Message-Authenticator": (signed(eap_attributes(START), SILENCE, sign="long"), NONE),
    "two Message-Authenticators": (signed(eap_attributes(START), SILENCE, sign="twice"), NONE),
    # EAP that is none.
    "no EAP": (signed(attribute(USER_NAME, CONTROLS)), REJECT),
    "EAP apart": (signed(attribute(EAP, START[:4]) + attribute(USER_NAME, b"x") + attribute(EAP, START[4:])), REJECT),
    "EAP of 1 octet": (signed(attribute(EAP, b"\2")), REJECT),
    "EAP length 0": (signed(eap_attributes(eap(2, 1, 1, b"a", length=0))), REJECT),
    "EAP length beyond": (signed(eap_attributes(eap(2, 1, 1, b"a", length=0xFFFF))), REJECT),
    "EAP request": (signed(eap_attributes(eap(1, 1, 1, b"a"))), REJECT),
    "EAP success": (signed(eap_attributes(eap(3, 1, None, b""))), REJECT),
    "EAP code 200": (signed(eap_attributes(eap(200, 1, 1, b"a"))), REJECT),
    "no Identity first": (signed(eap_attributes(eap(2, 1, 55, b"\1" + HELLO))), REJECT),
    "expanded type first": (signed(eap_attributes(eap(2, 1, 254, b"\0\0\0\0\0\0\1"))), REJECT),
    # Conversations. Octets of TLS that are none end it, after an alert; what is no answer to the request leaves it where it
    # was; of several States the first counts.
    "identity with controls": (lambda nas: nas.identity(CONTROLS), CHALLENGE),
    "identity of 3000 octets": (lambda nas: nas.identity(b"\xff\n" * 1500), CHALLENGE + " " + REJECT),
    "no identity": (lambda nas: nas.identity(b""), CHALLENGE + " " + REJECT),
    "names of others": (lambda nas: nas.answer(START, state=b"", more=attribute(USER_NAME, CONTROLS) + attribute(CALLING, CONTROLS)),
                        CHALLENGE),
    "sixteen Proxy-States": (lambda nas: nas.answer(START, state=b"", more=attribute(PROXY_STATE, CONTROLS) * 16), CHALLENGE),
    "Framed-MTU 0": (lambda nas: nas.answer(START, state=b"", more=attribute(12, bytes(4))), CHALLENGE),
    "Framed-MTU 1": (lambda nas: nas.answer(START, state=b"", more=attribute(12, b"\0\0\0\1")), CHALLENGE),
    "Framed-MTU of 1 octet": (lambda nas: nas.answer(START, state=b"", more=attribute(12, b"\1")), CHALLENGE),
    "State of nobody": (lambda nas: nas.answer(START, state=bytes(20)), REJECT),
    "State empty": (lambda nas: nas.exchange(*nas.packet(eap_attributes(START) + attribute(STATE, b"")), 60), REJECT),
    "State of 253 octets": (lambda nas: nas.answer(START, state=b"s" * 253), REJECT),
    "two States": (begun(lambda nas: nas.teap(1, HELLO, more=attribute(STATE, b"other"))), CHALLENGE),
    "State again": (begun(replayed), REJECT),
    "other Identifier": (begun(lambda nas: nas.teap(1, HELLO, identifier=nas.eap[1] ^ 0x55)), CHALLENGE),
    "other Identifier for ever": (begun(*[lambda nas: nas.teap(1, HELLO, identifier=nas.eap[1] ^ 0x55)] * 5), REJECT),
    "another type": (begun(lambda nas: nas.answer(eap(2, nas.eap[1], 4, b"x"))), CHALLENGE + " " + REJECT),
    "Nak": (begun(lambda nas: nas.answer(eap(2, nas.eap[1], 3, b"\x19"))), REJECT),
    "Identity again": (begun(lambda nas: nas.answer(eap(2, nas.eap[1], 1, CONTROLS))), CHALLENGE + " " + REJECT),
    "no flags": (begun(lambda nas: nas.answer(eap(2, nas.eap[1], 55, b""))), REJECT + " " + CHALLENGE),
    "version 7": (begun(lambda nas: nas.teap(7, HELLO)), REJECT),
    "version 0": (begun(lambda nas: nas.teap(0, HELLO)), REJECT),
    "S bit of the peer": (begun(lambda nas: nas.teap(0x21, HELLO)), REJECT),
    "acknowledgement of nothing": (begun(lambda nas: nas.teap(1)), REJECT),
    "4 GiB announced": (begun(lambda nas: nas.teap(0xC1, BIG + HELLO)), REJECT),
    "100 kB announced": (begun(lambda nas: nas.teap(0xC1, struct.pack("!I", 100_000) + HELLO)), REJECT),
    "fewer octets than announced": (begun(lambda nas: nas.teap(0x81, struct.pack("!I", 500) + HELLO)), REJECT),
    "more octets than announced": (begun(lambda nas: nas.teap(0x81, struct.pack("!I", 3) + HELLO)), REJECT),
    "length cut": (begun(lambda nas: nas.teap(0x81, b"\0\0")), REJECT),
    "outer TLVs beyond": (begun(lambda nas: nas.teap(0x11, BIG + HELLO)), REJECT),
    "outer TLVs that are none": (begun(lambda nas: nas.teap(0x11, struct.pack("!I", len(HELLO)) + HELLO)), REJECT),
    "fragment without octets": (begun(lambda nas: nas.teap(0x41)), REJECT),
    "fragments for ever": (begun(*[lambda nas: nas.teap(0x41, bytes(1000))] * 70), REJECT),
    "first fragment again": (begun(lambda nas: nas.teap(0xC1, struct.pack("!I", 40) + HELLO),
                                   lambda nas: nas.teap(0xC1, struct.pack("!I", 40) + HELLO),
                                   lambda nas: nas.teap(0x81, struct.pack("!I", 10) + HELLO)), REJECT),
    "last fragment first": (begun(lambda nas: nas.teap(1, HELLO), lambda nas: nas.teap(0xC1, struct.pack("!I", 40) + HELLO),
                                  lambda nas: nas.teap(1, bytes(30))), REJECT),
    "no TLS": (begun(lambda nas: nas.teap(1, b"GET / HTTP/1.1\r\n\r\n" + CONTROLS)), REJECT),
    "an alert": (begun(lambda nas: nas.teap(1, b"\x15\x03\x03\0\2\2\x28"), lambda nas: nas.teap(1)), REJECT),
    "a record of 65535": (begun(lambda nas: nas.teap(1, b"\x16\x03\x01\xff\xff" + bytes(1000)), lambda nas: nas.teap(1)), REJECT),
    "a ClientHello that is none": (begun(lambda nas: nas.teap(1, HELLO), lambda nas: nas.teap(1)), REJECT),
}


def run_rows(port, secret):
    failures = 0
    for name, (row, expected) in ROWS.items():
        nas = Nas(port, secret)
        said = row(nas)
        nas.socket.close()
        good = said in expected.split()
        failures += not good
        print(f"{'ok' if good else 'FAIL'} {name}: {said}", flush=True)
    print(f"{len(ROWS)} rows")
    return failures


# What a hostile server answers: code, attributes of the Access-Request's EAP identifier.
ANSWERS = {
    "accept": lambda i: (2, b""),
    "accept-success": lambda i: (2, eap_attributes(eap(3, i, None, b""))),
    "accept-keys": lambda i: (2, eap_attributes(eap(3, i, None, b"")) + attribute(26, b"\0\0\1\x37\x10\x34" + bytes(50))),
    "reject": lambda i: (3, attribute(REPLY, CONTROLS) + eap_attributes(eap(4, i, None, b""))),
    "reject-bare": lambda i: (3, b""),
    "challenge-bare": lambda i: (11, attribute(STATE, b"s")),
    "challenge-junk": lambda i: (11, eap_attributes(b"\1")),
    "challenge-huge": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 55, b"\xe1" + BIG + bytes(2000)))),
    "challenge-other": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 13, b"\x20"))),
    "challenge-success": lambda i: (11, eap_attributes(eap(3, i, None, b""))),
    "challenge-notify": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 2, CONTROLS))),
    "challenge-start": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 55, b"\x21\0\1\0\4acme"))),
    "challenge-version": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 55, b"\x27"))),
    "challenge-no-tls": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 55, b"\x01" + CONTROLS))),
    "challenge-fragments": lambda i: (11, eap_attributes(eap(1, i + 1 & 255, 55, b"\x41" + bytes(900)))),
    "code": lambda i: (200, b""),
}


def serve(port, secret, name):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    print("ready", flush=True)
    while True:
        asked, who = server.recvfrom(5000)
        at, identifier = 20, 0
        while at < len(asked):
            if asked[at] == EAP:
                identifier = asked[at + 3]
                break
            at += asked[at + 1]
        code, attributes = ANSWERS[name](identifier)
        attributes = attribute(AUTHENTICATOR, bytes(16)) + attributes
        head = struct.pack("!BBH", code, asked[1], 20 + len(attributes))
        mac = hmac.new(secret, head + asked[4:20] + attributes, hashlib.md5).digest()
        attributes = attribute(AUTHENTICATOR, mac) + attributes[18:]
        server.sendto(head + hashlib.md5(head + asked[4:20] + attributes + secret).digest() + attributes, who)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3].encode(), sys.argv[4])
    else:
        sys.exit(run_rows(int(sys.argv[1]), sys.argv[2].encode()))
