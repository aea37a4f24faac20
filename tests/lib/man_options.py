#!/usr/bin/python3
"""Compares a program's manual page with its help: man_options.py FOLDER PROGRAM < HELP, as --help --json prints it

Each option must be in the page, or in acmetool-options(7), with the metavariable and the default of --help. One that a command's
section describes is compared with that command, others with all commands. Prints what differs.
"""
import html.parser
import json
import os
import re
import subprocess
import sys


class Page(html.parser.HTMLParser):
    """The tagged lists of options of a page, by the heading above them."""

    def __init__(self):
        super().__init__()
        self.section = self.heading = self.text = ""
        self.found = []  # [section, subsection, tag, text]

    def handle_starttag(self, tag, attributes):
        if tag in ("h1", "h2", "dt", "dd"):
            self.text = ""

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        text = " ".join(self.text.split())
        if tag == "h1":
            self.section, self.heading = text, ""
        elif tag == "h2":
            self.heading = text
        elif tag == "dt":
            self.found.append([self.section, self.heading, text, ""])
        elif tag == "dd" and self.found:
            self.found[-1][3] = text


def options_of(file):
    """{(heading, name): (metavariable, default)}"""
    rendered = subprocess.run(["mandoc", "-T", "html", file], check=True, capture_output=True, text=True).stdout
    page = Page()
    page.feed(rendered)
    options = {}
    for _, heading, tag, text in page.found:
        spelled = re.search(r"--([a-z-]+)(?:\s+(.*))?$", tag)
        if not tag.startswith("-") or not spelled:
            continue
        # The last sentence that begins with the word; an abbreviation such as acct.json has no space after its dot.
        default = re.search(r"Default: (.+?)\.(?=\s|$)", text)
        options[heading, spelled[1]] = (spelled[2] or "", default[1] if default else "")
    return options


def main():
    folder, program = sys.argv[1:]
    own = options_of(os.path.join(folder, f"{program}.1"))
    shared = options_of(os.path.join(folder, "acmetool-options.7"))
    commands = json.load(sys.stdin)["commands"]
    names = {command.get("name", "") for command in commands}
    wrong = set()
    used = set()
    for command in commands:
        verb = command.get("name", "")
        for option in command["options"]:
            name = option["name"]
            places = [key for key in own if key[1] == name and key[0] == verb and verb]
            places = places or [key for key in own if key[1] == name and key[0] not in names - {""}]
            candidates = [own[key] for key in places] or [value for key, value in shared.items() if key[1] == name]
            used.update(places)
            expected = (option.get("argument", ""), option.get("default", ""))
            if not candidates:
                wrong.add(f"{program} {verb}: --{name} is not described")
            wrong.update(
                f"{program} {verb}: --{name}: the page has {found}, --help {expected}"
                for found in candidates
                if found != expected
            )
    wrong.update(f"{program}: the page describes --{key[1]}, which no command has" for key in own.keys() - used)
    for line in sorted(wrong):
        print(line)
    sys.exit(1 if wrong else 0)


main()
