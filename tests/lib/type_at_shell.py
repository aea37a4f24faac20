#!/usr/bin/python3
"""Types lines at an interactive shell, each followed by Tab: type_at_shell.py bash|zsh COMPLETIONS < LINES

Prints each line as the shell completed it; with --list, everything that the shell drew instead. COMPLETIONS is the folder of the
shell's completions. Nothing is executed: the completed line becomes an argument of echo.
"""
import os
import pty
import re
import select
import sys

START = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "for f in {folder}/*; do . $f; done; PS1=; bind 'set enable-bracketed-paste off' 'set bell-style none'"
        " 'set completion-query-items 0' 'set page-completions off' 'set show-all-if-ambiguous on'\n",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; PS1=; unsetopt prompt_cr prompt_sp beep;"
        " LISTMAX=10000; bindkey -e; zstyle ':completion:*' list-prompt ''\n",
    ),
}
LIMIT = 300  # seconds for a shell that never answers; on a busy machine zsh takes a minute to read its functions


def read_until(terminal, mark, seen):
    while mark not in seen:
        if not select.select([terminal], [], [], LIMIT)[0]:
            sys.exit(f"the shell does not answer; it drew: {seen!r}")
        try:
            seen += os.read(terminal, 65536)
        except OSError:
            sys.exit(f"the shell ended; it drew: {seen!r}")
    before, _, after = seen.partition(mark)
    return before, after


def main():
    listing = "--list" in sys.argv
    shell, folder = [word for word in sys.argv[1:] if word != "--list"]
    words, start = START[shell]
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="dumb", COLUMNS="400", HISTFILE="")
        os.execvp(words[0], words)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 400, 0, 0))
    os.write(terminal, start.format(folder=folder).encode())
    os.write(terminal, b"echo be''gin\n")
    _, rest = read_until(terminal, b"begin", b"")
    for number, line in enumerate(sys.stdin.read().splitlines()):
        # Control-A goes to the beginning; the quoting keeps the marks out of what is typed.
        typed = line.encode() + b"\t\x01" + f"echo 'be'{number}'<' \x05 '>e'nd{number}\n".encode()
        os.write(terminal, typed)
        drawn, rest = read_until(terminal, f">end{number}".encode(), rest)
        shown = drawn.decode(errors="replace")
        if listing:
            print(re.sub(r"\r+\n?", "\n", shown))
        else:
            print(shown.rpartition(f"be{number}< ")[2].strip())
    os.write(terminal, b"exit\n")


main()
