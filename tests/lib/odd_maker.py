#!/usr/bin/env python3
"""A manufacturer whose devices have odd certificates: odd_maker.py CERTIFICATE KEY DEVICE_KEY OUT

Writes OUT/NAME.pem for each row of the tables below, signed by the manufacturer (EC keys, PEM), and prints the names. The
values are what a device's maker can put into a certificate and what then crosses into names, logs, URLs and databases.
"""
import base64
import os
import re
import subprocess
import sys

CERTIFICATE, KEY, DEVICE_KEY, OUT = sys.argv[1:]


def tlv(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else (lambda octets: bytes([0x80 | len(octets)]) + octets)(
        size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + content


def oid(dotted):
    numbers = [int(part) for part in dotted.split(".")]
    octets = bytes([40 * numbers[0] + numbers[1]])
    for number in numbers[2:]:
        part = [number & 0x7F]
        while number := number >> 7:
            part.append(0x80 | number & 0x7F)
        octets += bytes(reversed(part))
    return tlv(6, octets)


def openssl(*arguments, stdin=None):
    return subprocess.run(("openssl", *arguments), input=stdin, check=True, capture_output=True).stdout


SEQUENCE, SET, UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP, OCTETS = 0x30, 0x31, 12, 19, 20, 22, 28, 30, 4
SERIAL, CN, MASA_URL, SAN = "2.5.4.5", "2.5.4.3", "1.3.6.1.5.5.7.1.32", "2.5.29.17"


def attribute(value, tag=UTF8, kind=SERIAL):
    return tlv(SEQUENCE, oid(kind), tlv(tag, value if isinstance(value, bytes) else value.encode()))


def subject(*attributes):
    return tlv(SEQUENCE, *(tlv(SET, one) for one in attributes))


def extension(kind, value, critical=False):
    return tlv(SEQUENCE, oid(kind), tlv(1, b"\xff") if critical else b"", tlv(OCTETS, value))


def module_name(value):
    """A subject alternative name with a hardwareModuleName (RFC 4108)."""
    return extension(SAN, tlv(SEQUENCE, tlv(0xA0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xA0, value))))


def hardware(serial, tag=OCTETS):
    return tlv(SEQUENCE, oid("1.3.6.1.4.1.99999.1"), tlv(tag, serial))


def masa(text, tag=IA5):
    return extension(MASA_URL, tlv(tag, text))


GOOD = attribute("device0001")
# Names: subjects.
SUBJECTS = {
    "nul": subject(attribute("device0001\0evil")),
    "newline": subject(attribute("device0001\nupdate add evil.domain.com 60 A 192.0.2.1")),
    "return": subject(attribute("device0001\r\nX-Evil: 1")),
    "escape": subject(attribute("\x1b[31mdevice0001\x1b[2J\x07")),
    "c1": subject(attribute("\u009b31mdevice0001\u0085")),
    "delete": subject(attribute("device0001\x7f")),
    "bad-utf8": subject(attribute(b"device\xff\xfe\x80\xc0\xaf")),
    "long": subject(attribute("d" * 1000)),
    "huge": subject(attribute("d" * 60_000)),
    "vast": subject(attribute("d" * 100_000)),
    "empty": subject(attribute("")),
    "blank": subject(attribute("   ")),
    "around": subject(attribute(" device0001 ")),
    "utf16": subject(attribute("device0001".encode("utf-16-be"), BMP)),
    "utf16-odd": subject(attribute(b"\0d\0e\0", BMP)),
    "utf16-control": subject(attribute("d\n\x1b[2J".encode("utf-16-be"), BMP)),
    "utf16-surrogate": subject(attribute(b"\xd8\x00\0d", BMP)),
    "utf32": subject(attribute("device0001".encode("utf-32-be"), UNIVERSAL)),
    "t61": subject(attribute(b"device\xe9\x1b", T61)),
    "printable-control": subject(attribute(b"device\x01\x02", PRINTABLE)),
    "integer": subject(attribute(b"\x01\x02", 2)),
    "octets": subject(attribute(b"device0001", OCTETS)),
    "bits": subject(attribute(b"\0device0001", 3)),
    "sequence": subject(attribute(tlv(UTF8, b"device0001"), SEQUENCE)),
    "twice": subject(GOOD, attribute("device0002")),
    "twice-in-one": tlv(SEQUENCE, tlv(SET, GOOD, attribute("device0002"))),
    "none": subject(attribute("device0001", kind=CN)),
    "nobody": subject(),
    "hundred": subject(*(attribute(f"d{i}", kind=CN) for i in range(100)), GOOD),
    "capitals": subject(attribute("DEVICE0001")),
    "option": subject(attribute("-rf")),
    "xn": subject(attribute("xn--a")),
    "path": subject(attribute("../../etc/passwd")),
    "shell": subject(attribute("$(touch touched)`touch touched`;touch touched")),
    "json": subject(attribute('","accepted":true,"x":"')),
    "format": subject(attribute("%s%n%99999d{}{0}")),
    "sql": subject(attribute("'; DROP TABLE devices; --")),
    "csv": subject(attribute('"device0001,\nevil,evil.domain.com"')),
    "dots": subject(attribute("device0001.evil")),
    "wild": subject(attribute("*")),
    "unicode": subject(attribute("gerät-\u202e1000\u200b")),
    "dn": subject(attribute("device0001,serialNumber=admin+CN=root", kind=CN), GOOD),
}
# Names: extensions; the subject is that of a good device.
EXTENSIONS = {
    "module": [module_name(hardware(b"device0001"))],
    "module-binary": [module_name(hardware(bytes(range(256))))],
    "module-empty": [module_name(hardware(b""))],
    "module-long": [module_name(hardware(b"d" * 50_000))],
    "module-text": [module_name(hardware(b"device0001", UTF8))],
    "module-short": [module_name(tlv(SEQUENCE, oid("1.3.6.1.4.1.99999.1")))],
    "module-more": [module_name(tlv(SEQUENCE, oid("1.2.3"), tlv(OCTETS, b"a"), tlv(OCTETS, b"b")))],
    "module-no-sequence": [module_name(tlv(OCTETS, b"device0001"))],
    "module-cut": [module_name(b"\x30\x7f\x06\x01")],
    "module-twice": [extension(SAN, tlv(SEQUENCE, *(tlv(0xA0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xA0, hardware(one)))
                                                     for one in (b"a", b"b"))))],
    "san-nul": [extension(SAN, tlv(SEQUENCE, tlv(0x82, b"device0001.domain.com\0.evil")))],
    "san-control": [extension(SAN, tlv(SEQUENCE, tlv(0x82, b"a\n\x1b[2J"), tlv(0x81, b"a\n@b"), tlv(0x86, b"u\r\nri")))],
    "san-address": [extension(SAN, tlv(SEQUENCE, tlv(0x87, b"\1\2\3")))],
    "san-junk": [extension(SAN, b"\x30\x84\xff\xff\xff\xff")],
    "critical": [extension("1.2.3.4.5", b"\5\0", True)],
    "same-twice": [masa(b"masa.example.com"), masa(b"other.example.com")],
    "masa-junk": [extension(MASA_URL, b"\xff\xff\xff")],
    "masa-nothing": [extension(MASA_URL, b"")],
    "masa-nul": [masa(b"masa.example.com\0.evil")],
    "masa-newline": [masa(b"masa.example.com\r\nHost: evil")],
    "masa-escape": [masa(b"\x1b[2Jmasa.example.com")],
    "masa-blank": [masa(b"https://masa .example.com")],
    "masa-http": [masa(b"http://masa.example.com")],
    "masa-file": [masa(b"file:///etc/passwd")],
    "masa-metadata": [masa(b"169.254.169.254")],
    "masa-loopback": [masa(b"[::1]:22")],
    "masa-user": [masa(b"https://masa.example.com@evil.invalid/")],
    "masa-port": [masa(b"masa.example.com:99999")],
    "masa-query": [masa(b"https://masa.example.com/?a=b#c")],
    "masa-up": [masa(b"https://masa.example.com/../../admin")],
    "masa-long": [masa(b"a" * 50_000)],
    "masa-utf8": [masa("https://märz.example".encode(), UTF8)],
    "masa-trailing": [extension(MASA_URL, tlv(IA5, b"masa.example.com") + b"\0\0")],
}
# Names: what else a certificate has; (version, serial number, notBefore, notAfter).
FIELDS = {
    "version-1": (None, tlv(2, b"\1"), b"20200101000000Z", b"99991231235959Z"),
    "serial-empty": (2, tlv(2), b"20200101000000Z", b"99991231235959Z"),
    "serial-negative": (2, tlv(2, b"\xff"), b"20200101000000Z", b"99991231235959Z"),
    "serial-long": (2, tlv(2, b"\x7f" * 500), b"20200101000000Z", b"99991231235959Z"),
    "expired": (2, tlv(2, b"\1"), b"20000101000000Z", b"20010101000000Z"),
    "future": (2, tlv(2, b"\1"), b"29990101000000Z", b"99991231235959Z"),
    "turned": (2, tlv(2, b"\1"), b"20300101000000Z", b"20200101000000Z"),
    "no-date": (2, tlv(2, b"\1"), b"20201399999999Z", b"junk"),
}
ECDSA = tlv(SEQUENCE, oid("1.2.840.10045.4.3.2"))
SPKI = openssl("pkey", "-in", DEVICE_KEY, "-pubout", "-outform", "DER")


def maker_name():
    """The issuer in the certificate's own encoding: the second SEQUENCE of its content, after the algorithm."""
    der = openssl("x509", "-in", CERTIFICATE, "-outform", "DER")
    lines = openssl("asn1parse", "-inform", "DER", stdin=der).decode().splitlines()
    at, header, size = re.match(r" *(\d+):.* hl= *(\d+) *l= *(\d+)",
                                [line for line in lines if "d=2" in line and "SEQUENCE" in line][1]).groups()
    return der[int(at):int(at) + int(header) + int(size)]


ISSUER = maker_name()


def write(name, whose, extensions=(), fields=(2, tlv(2, b"\1\2\3"), b"20200101000000Z", b"99991231235959Z")):
    version, number, begin, end = fields
    content = tlv(SEQUENCE, tlv(0xA0, tlv(2, bytes([version]))) if version else b"", number, ECDSA, ISSUER,
                  tlv(SEQUENCE, tlv(24, begin), tlv(24, end)), whose, SPKI,
                  tlv(0xA3, tlv(SEQUENCE, *extensions)) if extensions else b"")
    signature = openssl("dgst", "-sha256", "-sign", KEY, stdin=content)
    text = base64.encodebytes(tlv(SEQUENCE, content, ECDSA, tlv(3, b"\0", signature))).decode()
    with open(os.path.join(OUT, name + ".pem"), "w", encoding="ascii") as file:
        file.write("-----BEGIN CERTIFICATE-----\n" + text + "-----END CERTIFICATE-----\n")
    print(name)


os.makedirs(OUT, exist_ok=True)
for row, value in SUBJECTS.items():
    write(row, value)
for row, value in EXTENSIONS.items():
    write(row, subject(GOOD), value)
for row, value in FIELDS.items():
    write(row, subject(GOOD), fields=value)
