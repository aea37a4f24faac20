"""Metrics in the Prometheus text format, as relays served them.

metrics.py families SERVED...     prints "NAME TYPE HELP" of each family
metrics.py labels SERVED...       prints "NAME LABEL..." of each family with labels
metrics.py used FILE SERVED...    fails if FILE, rules or a dashboard, names a metric that is none of these
"""
import re
import sys


def read(files):
    """{family: (type, help)}, and {family: labels}"""
    families, labels = {}, {}
    for file in files:
        kind, words, family = {}, {}, ""
        for line in open(file, encoding="utf-8"):
            if declared := re.match(r"# TYPE (\S+) (\S+)$", line):
                family = declared[1]
                kind[family] = declared[2]
            elif told := re.match(r"# HELP (\S+) (.*)$", line):
                words[told[1]] = told[2]
            elif sample := re.match(r"([a-z_]+)(?:\{(.*)\})? \S+$", line):
                assert sample[1] in (family, *(family + end for end in ("_bucket", "_sum", "_count"))), line
                found = re.findall(r'([a-z_]+)="(?:[^"\\]|\\.)*"', sample[2] or "")
                labels.setdefault(family, []).extend(name for name in found if name not in labels.get(family, []))
            else:
                sys.exit(f"{file}: {line}")
        families |= {name: (kind[name], words[name]) for name in kind}
    return families, {name: [label for label in found if label != "le"] for name, found in labels.items()}


def main():
    what, *files = sys.argv[1:]
    if what == "used":
        families, _ = read(files[1:])
        served = set(families)
        served |= {name + end for name, (kind, _) in families.items() if kind == "histogram" for end in ("_bucket", "_sum", "_count")}
        used = set(re.findall(r"\bacmetool_[a-z_]+", open(files[0], encoding="utf-8").read()))
        sys.exit("\n".join(sorted(used - served)) or (0 if used else "no metric is used"))
    families, labels = read(files)
    if what == "families":
        lines = [f"{name} {kind} {words}" for name, (kind, words) in families.items()]
    else:
        lines = [f"{name} {' '.join(found)}" for name, found in labels.items() if found]
    print("\n".join(sorted(lines)))


main()
