#!/usr/bin/env python3
"""Whether the messages that a page quotes are those of the programs: tests/lib/quoted_messages.py PAGE

A message is what stands in backticks at the beginning of a table's row below "it says", with … for what differs. Its words
must stand in one string of the sources, where {...} is what differs. Prints what is not there; exit status 1 then.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STRING = r'"((?:[^"\\\n]|\\.)*)"'


def strings():
    """Each string of the sources; those that the compiler joins are one."""
    for folder in ("libacmetool", "apps"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".cpp", ".h"):
                text = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M)
                for joined in re.finditer(rf"(?:{STRING}\s*)+", text):
                    yield "".join(re.findall(STRING, joined[0])).replace('\\"', '"')


def messages(page):
    """[(line number, message)] of the tables whose first column is "it says"."""
    inside = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("| it says |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and (quoted := re.match(r"\| `([^`]+)` \|", line)):
            yield number, quoted[1]
        elif inside and not line.startswith("|---"):
            yield number, None


def main():
    page = Path(sys.argv[1])
    known = set(strings())
    wrong = count = 0
    for number, message in messages(page):
        pieces = [piece for piece in (message or "").split("…") if piece.strip()]
        pattern = re.compile(".*?".join(re.escape(piece.strip()) for piece in pieces))
        count += 1
        if len("".join(pieces)) < 12 or not any(pattern.search(one) for one in known):
            print(f"{page.name}:{number}: not a message of the programs: {message}")
            wrong += 1
    print(f"{count} messages, {wrong} of them unknown")
    sys.exit(1 if wrong or not count else 0)


if __name__ == "__main__":
    main()
