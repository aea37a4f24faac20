#!/usr/bin/env python3
"""answer_prompt.py PROMPT ANSWER COMMAND...: runs the command at a terminal of its own, types ANSWER once PROMPT is there,
prints all that the screen shows, and ends with the command's status."""
import os
import pty
import sys

prompt, answer, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
screen = b""
typed = False
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    screen += part
    if not typed and prompt in screen:
        os.write(terminal, answer + b"\n")
        typed = True
sys.stdout.buffer.write(screen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
