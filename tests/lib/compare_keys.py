#!/usr/bin/env python3
"""Compares a sample configuration with the keys that a program explains: compare_keys.py PROGRAM FILE EXCEPT

Each explained key has to be in the file, with its default if that is one word; a line "#key = value" counts. EXCEPT is a
regular expression of keys, as in "[section] key", that do not belong into the file. Prints the differences.
"""
import re
import subprocess
import sys
import tomllib

PROGRAM, FILE, EXCEPT = sys.argv[1:]


def explained():
    text = subprocess.run([PROGRAM, "check", "--explain"], check=True, capture_output=True, text=True).stdout
    section, keys = None, {}
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif found := re.match(r"  ([a-z_0-9]+) ", line):
            default = re.search(r"default: ([^ ()]+)\)?$", line)
            keys[f"{section} {found[1]}"] = default and ("0s" if default[1] == "0d" else default[1])
    return {key: default for key, default in keys.items() if not re.fullmatch(EXCEPT, key)}


def tables(table, name=""):
    """Name as the program prints it, and keys, of each section below `table`."""
    values = {}
    for key, value in table.items():
        named = name in ("label", "clients.idevid") and isinstance(value, dict)
        below = f"{name}.NAME" if named else f"{name}.{key}".strip(".")
        if isinstance(value, dict):
            yield from tables(value, below)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"[[{below}]]", value[0]
        else:
            values[key] = value
    if values:
        yield f"[{name}]", values


def word(value):
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


with open(FILE) as file:
    sample = tomllib.loads(re.sub(r"^#([a-z_0-9]+ = |\[)", r"\1", file.read(), flags=re.M))
given = {f"{section} {key}": word(value) for section, keys in tables(sample) for key, value in keys.items()}
wanted = explained()
problems = [f"{FILE} lacks {key}" for key in wanted.keys() - given.keys()]
problems += [f"{FILE} has {key}, which {PROGRAM} does not explain" for key in given.keys() - wanted.keys()]
problems += [f"{FILE}: {key} is {given[key]}, its default is {default}"
             for key, default in wanted.items() if default and given.get(key, default) != default]
for problem in sorted(problems):
    print(problem)
print(len(wanted), "keys", file=sys.stderr)
sys.exit(bool(problems) or len(wanted) < 70)
