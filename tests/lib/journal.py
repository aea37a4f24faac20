#!/usr/bin/env python3
"""Runs a program whose standard error is the journal: tests/lib/journal.py FILE PROGRAM...

Listens at /run/systemd/journal/socket, which belongs into a mount namespace of the test's. FILE gets each entry as a line
of JSON, and what comes by standard error as {"LINE": ...}.
"""
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys


def fields(entry):
    """The fields of an entry in the journal's export format."""
    found = {}
    while entry:
        line, _, entry = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = struct.unpack("<Q", entry[:8])[0]
            value, entry = entry[8:8 + size], entry[9 + size:]
        found[name.decode()] = value.decode()
    return found


def main():
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind("/run/systemd/journal/socket")
    ours, theirs = socket.socketpair()
    stream = os.fstat(theirs.fileno())
    program = subprocess.Popen(sys.argv[2:], stderr=theirs,
                               env={**os.environ, "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"})
    theirs.close()
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    waiting = selectors.DefaultSelector()
    waiting.register(journal, selectors.EVENT_READ)
    waiting.register(ours, selectors.EVENT_READ)
    with open(sys.argv[1], "w", buffering=1) as out:
        while True:
            for key, _ in waiting.select():
                octets = key.fileobj.recv(1 << 20)
                if key.fileobj is journal:
                    print(json.dumps(fields(octets)), file=out)
                elif not octets:
                    sys.exit(program.wait())
                else:
                    for line in octets.decode().splitlines():
                        print(json.dumps({"LINE": line}), file=out)


if __name__ == "__main__":
    main()
