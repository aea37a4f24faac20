#!/usr/bin/env python3
"""Sorts recorded messages (fuzz/recorder.cpp) by fuzz target: sort_messages.py MESSAGES OUT

OUT/TARGET gets a file for each message, or conversation, in the form that the target reads; none larger than LARGEST.
"""
import base64
import binascii
import hashlib
import os
import re
import struct
import sys

LARGEST = 4096
MESSAGES, OUT = sys.argv[1:]
REQUEST_LINE = re.compile(rb"(GET|POST|HEAD|PUT|DELETE) \S+ HTTP/1\.[01]\r\n")


def add(target, octets):
    if not octets or len(octets) > LARGEST:
        return
    folder = os.path.join(OUT, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, hashlib.sha1(octets).hexdigest()[:16]), "wb") as file:
        file.write(octets)


def messages_of(path):
    with open(path, "rb") as file:
        octets = file.read()
    while len(octets) >= 4:
        size = struct.unpack("=I", octets[:4])[0]
        yield octets[4:4 + size]
        octets = octets[4 + size:]


def http_messages(octets):
    """Start line, header fields, body and the whole of each message of a stream."""
    while octets:
        end = octets.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = octets[:end].split(b"\r\n")
        fields = [line.split(b":", 1) for line in lines if b":" in line]
        fields = {name.lower().decode("latin-1"): value.strip() for name, value in fields}
        size = fields.get("content-length", b"0")
        size = int(size) if size.isdigit() else 0
        body = octets[end + 4:end + 4 + size]
        yield first, fields, lines, body, octets[:end + 4 + size]
        octets = octets[end + 4 + size:]


def decoded(body):
    """A body of EST: base64 or DER."""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return body


def base64url(text):
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def json_inside(octets):
    """The JSON text that a voucher, CMS or JWS, holds."""
    payload = re.search(rb'"payload"\s*:\s*"([A-Za-z0-9_-]+)"', octets)
    if payload:
        octets = base64url(payload[1])
    begin = octets.find(b'{"ietf-voucher')
    if begin < 0:
        return b""
    depth = 0
    for at in range(begin, len(octets)):
        depth += {b"{": 1, b"}": -1}.get(octets[at:at + 1], 0)
        if depth == 0:
            return octets[begin:at + 1]
    return b""


def voucher(octets, kind):
    jws = b"jws" in kind
    add("voucher_jws" if jws else "voucher_cms", octets)
    if not jws:
        add("signed_data", octets)
    text = json_inside(octets)
    add("voucher_json", text)
    return text


def voucher_request(octets, kind):
    text = voucher(octets, kind)
    add("masa", b"\x80" + octets)
    text = re.sub(rb'("proximity-registrar-cert":")[^"]*', rb"\1@registrar", text)
    text = re.sub(rb'("prior-signed-voucher-request":")[^"]*', rb"\1@prior", text)
    text = re.sub(rb'("created-on":")[^"]*', rb"\1@now", text)
    text = re.sub(rb'("serial-number":")[^"]*', rb"\1SN-1", text)
    nonce = re.search(rb'"nonce":"([^"]*)"', text)
    prior = b'{"ietf-voucher-request:voucher":{"assertion":"proximity","serial-number":"SN-1","created-on":"@now","nonce":"' + \
        (nonce[1] if nonce else b"") + b'","proximity-registrar-cert":"@registrar"}}'
    if b"@prior" in text:
        for how in (0, 1, 2, 32, 64):
            add("masa", bytes([how]) + struct.pack("!H", len(prior)) + prior + text)


def est_request(first, lines, body):
    method, target = first.split(b" ")[:2]
    head = [line.lower() for line in lines if line.lower().startswith((b"content-", b"accept", b"authorization"))]
    request = b"\n".join([method, target, *head, b"", body])
    add("est_request", request)
    for who in (b"device signed tls", b"issued signed", b"nobody"):
        add("est_enrol", who + b"\n" + request)


def request(first, fields, lines, body, whole):
    kind = fields.get("content-type", b"")
    path = first.split(b" ")[1]
    add("http_server", b"\0" + whole)
    if path.startswith(b"/.well-known/est/"):
        est_request(first, lines, body)
        add("est_body", body)
    if b"pkcs10" in kind:
        add("csr", decoded(body))
    elif b"voucher" in kind:
        voucher_request(body, kind)
    elif b"jose+json" in kind:
        add("ca_request", body)
        add("jws", body)
        payload = re.search(rb'"payload"\s*:\s*"([A-Za-z0-9_-]+)"', body)
        if payload:
            text = base64url(payload[1])
            add("ca_request", text)
            asked = re.search(rb'"csr"\s*:\s*"([A-Za-z0-9_-]+)"', text)
            if asked:
                add("csr", base64url(asked[1]))
    elif path.endswith((b"/voucher_status", b"/enrollstatus")):
        add("brski_status", body)


def reply(fields, body, whole):
    kind = fields.get("content-type", b"")
    add("http_reply", whole)
    add("retry_after", fields.get("retry-after", b""))
    if b"problem+json" in kind:
        add("problem", body)
        add("json_reply", body)
    elif b"voucher" in kind:
        voucher(body, kind)
    elif b"CMC-response" in kind:
        add("cmc_error", decoded(body))
        add("signed_data", decoded(body))
        add("est_body", body)
    elif b"pkcs7-mime" in kind:
        add("certs_only", decoded(body))
        add("est_body", body)
    elif b"csrattrs" in kind:
        add("csrattrs", decoded(body))
        add("est_body", body)
    elif b"pem-certificate-chain" in kind:
        add("chain", body)
    elif b"suggestedWindow" in body:
        add("renewal_info", body)
    elif b'"events"' in body:
        add("audit_log", body)
    elif b"json" in kind:
        add("json_reply", body)


def framed(messages):
    return b"".join(struct.pack("!H", len(one)) + one for one in messages)


def teap(kind, messages):
    for one in messages:
        add("teap_tlv", one)
    if kind.startswith("tls-server"):
        add("teap_peer", framed(messages))
    else:
        add("teap_session", framed(messages))
        add("teap_voucher", framed(messages))


def stream(kind, messages):
    octets = b"".join(messages)
    if octets.startswith(b"HTTP/1."):
        for _, fields, _, body, whole in http_messages(octets):
            reply(fields, body, whole)
    elif REQUEST_LINE.match(octets):
        for first, fields, lines, body, whole in http_messages(octets):
            if REQUEST_LINE.match(first + b"\r\n"):
                request(first, fields, lines, body, whole)
    elif len(octets) > 4 and octets[0] & 0x3f == 0:  # the first octet of a TLV's type
        teap(kind, messages)


def eap_of(packet):
    eap, at = b"", 20
    while at + 2 <= len(packet) and packet[at + 1] >= 2:
        if packet[at] == 79:
            eap += packet[at + 2:at + packet[at + 1]]
        at += packet[at + 1]
    return eap


def datagrams(messages):
    conversation = []
    for octets in messages:
        if len(octets) >= 20 and octets[0] in (1, 2, 3, 4, 5, 11, 12) and struct.unpack("!H", octets[2:4])[0] == len(octets):
            add("radius", octets)
            eap = eap_of(octets)
            if 0 < len(eap) < 256:
                add("teap_frame", bytes([len(eap)]) + eap)
            if octets[0] in (1, 4, 12) and len(conversation) < 12:
                said = b"\x80" + eap[4:] if len(eap) > 4 and eap[0] == 2 else b"\x02" + octets[20:]
                conversation.append(said)
        elif len(octets) >= 12 and octets[2] & 0x80:
            add("dns_answer", octets)
    if conversation:
        add("access", framed(conversation))


for name in sorted(os.listdir(MESSAGES)):
    kind = name.rsplit("-", 2)[0]
    found = list(messages_of(os.path.join(MESSAGES, name)))
    if kind == "certificate":
        for certificate in found:
            add("path", framed([certificate]))
    elif kind == "datagram":
        datagrams(found)
    else:
        stream(kind, found)
for example, target in (("examples/relay/full.toml", "relay_config"), ("examples/teap/full.toml", "relay_config")):
    with open(example, "rb") as file:
        add(target, re.sub(rb"(?m)^# .*\n| +# .*$", b"", file.read()))  # what it explains is long
