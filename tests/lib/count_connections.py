#!/usr/bin/env python3
"""Passes TCP connections on, octet for octet, and counts them.

count_connections.py TARGET_PORT COUNT_FILE: prints the port it listens on; COUNT_FILE gets one line per connection.
"""
import socket
import sys
import threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def main():
    target, count_file = int(sys.argv[1]), sys.argv[2]
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        with open(count_file, "a", encoding="ascii") as log:
            log.write("connection\n")
        server = socket.create_connection(("127.0.0.1", target))
        for ends in ((client, server), (server, client)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


main()
