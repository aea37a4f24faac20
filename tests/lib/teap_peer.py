#!/usr/bin/env python3
"""A TEAP peer that knows none of our code: teap_peer.py PORT SECRET CA CHAIN KEY VERSION WHAT... talks to the RADIUS server at
127.0.0.1:PORT. CHAIN and KEY are the device's, "-" for none; VERSION is the only one of TLS, 1.2 or 1.3.

WHAT is one conversation each, with a line of output:

    plain                 to the server's first TLVs
    again                 the same, and offers the TLS session of the conversation before
    foreign CHAIN KEY     the same, and offers a session with a ticket, which another server with this certificate gave
    eap, password         sends an inner method's TLV that nobody asked for

The line: "resumed=yes|no ticket=yes|no" of the session, then each message of the server inside the tunnel as "{TYPE=HEX, ...}",
then what RADIUS said last.
"""
import ssl
import struct
import sys

import odd_nas

LENGTH, MORE, START, OUTER, VERSION = 0x80, 0x40, 0x20, 0x10, 1
EAP_PAYLOAD, RESULT, PASSWORD_RESPONSE = 9, 3, 14
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tlv(kind, value, mandatory=True):
    return struct.pack("!HH", kind | (0x8000 if mandatory else 0), len(value)) + value


def described(data):
    shown = []
    while data:
        kind, size = struct.unpack("!HH", data[:4])
        shown.append(f"{kind & 0x3FFF}={data[4:4 + size].hex()}")
        data = data[4 + size:]
    return "{" + ", ".join(shown) + "}"


def foreign_session(context, version, chain, key):
    """A session of another server, to whose certificate nothing objects."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.minimum_version = other.maximum_version = VERSIONS[version]
    other.load_cert_chain(chain, key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server)
    server = other.wrap_bio(to_server, to_client, server_side=True)
    for end in [client, server] * 4:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
    server.write(b"x")
    client.read(1)  # tickets of TLS 1.3 come with it
    if not client.session.has_ticket:
        raise ValueError("the other server gave no ticket")
    return client.session


class Conversation:
    def __init__(self, nas, context, session=None):
        self.nas = nas
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, session=session)
        self.said = nas.identity()
        if self.said == odd_nas.CHALLENGE and not self.nas.eap[5] & START:
            raise ValueError("no TEAP Start")

    def message(self):
        """The server's message, its fragments put together."""
        whole = b""
        while self.said == odd_nas.CHALLENGE:
            data = self.nas.eap[5:]
            flags, data = data[0], data[1:]
            if flags & LENGTH:
                data = data[4:]
            if flags & OUTER:
                raise ValueError("outer TLVs after the first message")
            whole += data
            if not flags & MORE:
                break
            self.said = self.nas.teap(VERSION)
        return whole

    def send(self):
        self.said = self.nas.teap(VERSION, self.outgoing.read())
        if self.said == odd_nas.CHALLENGE:
            self.incoming.write(self.message())

    def handshake(self):
        while self.said == odd_nas.CHALLENGE:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send()
        if self.outgoing.pending:
            self.send()

    def heard(self):
        """The TLVs in what came last."""
        try:
            return self.tls.read(65536)
        except ssl.SSLWantReadError:
            return b""

    def say(self, octets):
        self.tls.write(octets)
        self.send()


def talk(nas, context, what, session):
    one = Conversation(nas, context, session)
    one.handshake()
    heard = [one.heard()]
    if what == "eap":
        one.say(tlv(EAP_PAYLOAD, odd_nas.eap(2, 7, 1, b"user")))
        heard.append(one.heard())
    elif what == "password":
        one.say(tlv(PASSWORD_RESPONSE, b"\4user\6secret"))
        heard.append(one.heard())
    if one.said == odd_nas.CHALLENGE:
        one.say(tlv(RESULT, b"\0\2"))
    resumed, ticket = one.tls.session_reused, one.tls.session is not None and one.tls.session.has_ticket
    print(f"resumed={'yes' if resumed else 'no'} ticket={'yes' if ticket else 'no'}",
          *[described(data) for data in heard], one.said)
    return one.tls.session


def main():
    port, secret, ca, chain, key, version, *steps = sys.argv[1:]
    nas = odd_nas.Nas(int(port), secret.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    if chain != "-":
        context.load_cert_chain(chain, key)
    last = None
    while steps:
        what = steps.pop(0)
        session = last if what == "again" else None
        if what == "foreign":
            session = foreign_session(context, version, steps.pop(0), steps.pop(0))
        last = talk(nas, context, what, session)


main()
