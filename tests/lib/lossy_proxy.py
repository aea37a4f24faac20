#!/usr/bin/env python3
"""A UDP proxy on loopback that drops, doubles and reorders datagrams, the same ones for the same seed.

    lossy_proxy.py SERVER_PORT SHARE SEED [USERS]    prints its own port; SHARE of all datagrams each, 0.1 is a tenth;
                                                     USERS gets the User-Name of each Access-Accept, a line each
"""
import random
import selectors
import socket
import sys

server, share, chance = int(sys.argv[1]), float(sys.argv[2]), random.Random(int(sys.argv[3]))
front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.bind(("127.0.0.1", 0))
print(front.getsockname()[1], flush=True)
waiting = selectors.DefaultSelector()
waiting.register(front, selectors.EVENT_READ, None)
backs = {}  # one socket a client, so that the server tells them apart
held = []  # what is to be overtaken by the next datagram


def user_name(packet):
    at = 20
    while at + 2 <= len(packet):
        if packet[at] == 1:
            return packet[at + 2:at + packet[at + 1]].decode()
        at += packet[at + 1]
    return "-"


def pass_on(send, data):
    what = chance.random()
    if what < share:
        return
    if what < 2 * share:
        held.append((send, data))
        return
    send(data)
    if what < 3 * share:
        send(data)
    while held:
        late, old = held.pop()
        late(old)


while True:
    for key, _ in waiting.select():
        if key.data is None:
            data, client = front.recvfrom(4096)
            if client not in backs:
                back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(("127.0.0.1", server))
                backs[client] = back
                waiting.register(back, selectors.EVENT_READ, client)
            pass_on(backs[client].send, data)
        else:
            try:
                data = key.fileobj.recv(4096)
            except ConnectionRefusedError:
                continue
            if len(sys.argv) > 4 and data[0] == 2:
                with open(sys.argv[4], "a") as users:
                    print(user_name(data), file=users)
            pass_on(lambda octets, client=key.data: front.sendto(octets, client), data)
