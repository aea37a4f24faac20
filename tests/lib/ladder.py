#!/usr/bin/env python3
"""The arrows of a ladder that is drawn as text, in order, one per line: "FROM TO WORDS".

    ladder.py FILE           of a drawing of acme-trace
    ladder.py FILE SECTION   of the figure in that section of the seed

FROM and TO are names of parties as in a trace. WORDS are what figures and traces have in common: method and resource of a
request; status of a reply, with "status=valid" and "status=ready"; of TEAP the TLVs without CSR-Attributes. Of a drawing,
what no figure shows is left out: requests for nonces, directories, anchors, audit logs and the state of authorizations, with
their replies.
"""
import pathlib
import re
import sys

NAMES = {"Pledge": "client", "Client": "client", "EST RA": "ra", "TEAP-Server": "ra", "RA": "ra", "ACME": "acme",
         "MASA": "masa", "DNS": "dns"}
TLVS = re.compile(r"Crypto-Binding|Request-Action|Request-?Voucher|Voucher|Trusted-Server-Root|PKCS#10|PKCS#7|Result")
UNSHOWN = {"HEAD /newNonce", "GET /directory", "GET /cacerts", "GET /csrattrs", "POST /authz", "POST /order", "POST /account",
           "POST /requestauditlog", "POST /voucher_status", "POST /enrollstatus"}


def figure(text, section):
    """the lines of the section's figure, without the ends of pages"""
    begin = re.search(rf"^{section}\.  ", text[text.index("Introduction", 3000):], re.MULTILINE)
    part = text[text.index("Introduction", 3000):][begin.start():]
    part = part[:re.search(rf"^{int(section) + 1}\.  ", part, re.MULTILINE).start()]
    lines = part[part.index("   +--------+"):].splitlines()
    return [line for line in lines if not re.match(r"Friel|Internet-Draft|\f", line)]


def columns(lines):
    """[(column, party)], and the lines below the titles"""
    at = next(i for i, line in enumerate(lines) if line.lstrip().startswith("+-"))
    titles = [(m.start(), m.end(), m[1]) for m in re.finditer(r"\| ([^|\s](?:[^|]*[^|\s])?) +\|", lines[at + 1])]
    places = [m.start() for m in re.finditer(r"\|", lines[at + 3])]
    return [(place, NAMES[next(t for begin, end, t in titles if begin <= place < end)]) for place in places], lines[at + 4:]


def words(text):
    if "{" in text:
        return "{" + ", ".join(TLVS.findall(text)) + "}"
    for pattern, word in ((r"EAP-(Request|Response)/ ?(Type=)?Identity", "Identity"), ("TEAP Start", "TEAP Start"),
                          ("ClientHello", "TLS ClientHello"), ("TLS", "TLS handshake"), ("EAP-Success", "EAP-Success"),
                          (r"Verify", "Verify")):
        if re.search(pattern, text):
            return word
    if match := re.match(r"(POST|GET|HEAD) /\w+|(Publish|Delete) DNS TXT", text):
        return match[0]
    if match := re.match(r"\d\d\d", text):
        return " ".join([match[0]] + re.findall(r"status=(?:valid|ready)", text))
    return text


def arrows(lines):
    parties, rest = columns(lines)
    first = parties[0][0]
    text = ""
    for line in rest:
        if len(line) <= first or line[first] != "|":
            continue
        to_right = re.search(r"\|([- x]*-[- x]*)>\|", line)
        arrow = to_right or re.search(r"\|<([- x]*-[- x]*)\|", line)
        if arrow is None:
            for place, _ in parties:
                if line[place:place + 1] == "|":
                    line = line[:place] + " " + line[place + 1:]
            text = " ".join(f"{text} {line[first:]}".split())
            continue
        near = {place: name for place, name in parties}
        left, right = near[arrow.start()], near[arrow.end() - 1]
        yield (left, right) if to_right else (right, left), words(text)
        text = ""


def shown(drawn):
    """without what no figure shows"""
    asked = {}  # by the two parties: the last request without a reply
    verified = False
    for (source, target), word in drawn:
        if word.split()[0] in ("POST", "GET", "HEAD"):
            asked[source, target] = word
            if word not in UNSHOWN:
                yield (source, target), word
            continue
        request = asked.pop((target, source), "")
        ends = verified and word == "200 status=valid"
        is_state = request in UNSHOWN or request == "POST /challenge"
        verified = word == "Verify"
        if not is_state or ends:
            yield (source, target), word


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    drawn = arrows(figure(text, sys.argv[2])) if len(sys.argv) > 2 else shown(arrows(text.splitlines()))
    for (source, target), word in drawn:
        print(source, target, word)


main()
