"""A reader that does not read: idle_reader.py FIFO OUTPUT

Opens FIFO, makes its pipe as small as it can be, and fills it. Prints "ready". From SIGUSR1 on it copies what comes to
OUTPUT.
"""
import fcntl
import os
import signal
import sys

PAGE = 4096

fifo, output = sys.argv[1:]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
pipe = os.open(fifo, os.O_RDWR)
fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PAGE)
os.write(pipe, b"\n" * PAGE)
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
with open(output, "wb", buffering=0) as out:
    while data := os.read(pipe, 65536):
        out.write(data.lstrip(b"\n") if data[:1] == b"\n" else data)
