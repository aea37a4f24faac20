#!/usr/bin/env python3
"""Whether docs/LOG.md has the events of the sources, and what relays wrote: tests/lib/log_page.py LOG...

Prints what the page lacks, and the events of the logs; exit status 1 if it lacks something.
"""
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ALWAYS = {"ts", "level", "event"}
LEVELS = {"error", "warning", "info", "detail", "wire"}


def page():
    """{event: members}, and the members that are explained"""
    _, events, members = (ROOT / "docs" / "LOG.md").read_text().split("\n## ")
    rows = [re.findall(r"`([^`]+)`", line) for line in events.splitlines() if line.startswith("| `")]
    return {row[0]: set(row[1:]) for row in rows}, set(re.findall(r"^\| `([^`]+)` \|", members, flags=re.M))


def told_in_sources():
    """The events that the relays' code names; acme-ca has a log of its own."""
    for path in (ROOT / "libacmetool").rglob("*.cpp"):
        if path.parent.name != "ca":
            yield from re.findall(r'\{"event", (?:\w+ \? )?"(\w+)"', path.read_text())


def main():
    events, explained = page()
    lacks = {f"the event {event}" for event in told_in_sources() if event not in events and event != "relay"}
    for event, members in events.items():
        lacks |= {f"what {member} means" for member in members - explained}
    lacks |= {f"an event with {member}" for member in explained - set().union(*events.values())}
    seen = set()
    for name in sys.argv[1:]:
        for line in open(name, encoding="utf-8"):
            entry = json.loads(line)
            seen.add(entry["event"])
            lacks |= {f"{member} of {entry['event']}" for member in entry.keys() - events.get(entry["event"], set()) - ALWAYS}
            if ALWAYS - entry.keys() or entry["level"] not in LEVELS:
                lacks.add(f"a line without the members of each: {line}")
    print("seen:", *sorted(seen))
    for one in sorted(lacks):
        print("docs/LOG.md lacks", one)
    sys.exit(1 if lacks else 0)


if __name__ == "__main__":
    main()
