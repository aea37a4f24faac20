"""Reads what bench/run prints: tables with titles in their first line, below a caption."""

import re

# Columns that name a row; all others are figures.
NAMES = {"operation", "TLS", "clients", "client", "command", "CA", "conversation"}
NUMBER = re.compile(r"-?\d+(\.\d+)?$")


def columns(header):
    """The titles of a table, each with the place where it ends: titles are two spaces or more apart."""
    return [(match.group(), match.end()) for match in re.finditer(r"\S+(?: \S+)*", header)]


def read_row(line, titles):
    """The row's values with their titles: the first is aligned to the left, the others end where their titles end."""
    first_end = titles[1][1] - len(titles[1][0])
    cells = [(titles[0][0], line[:first_end].strip().split("  ")[0])]
    ends = {end: title for title, end in titles[1:]}
    for match in re.finditer(r"\S+", line):
        if match.end() in ends:
            cells.append((ends[match.end()], match.group()))
    return cells


def read_tables(text):
    """{(caption, row, title): figure}; a row is the words of the columns that name it."""
    figures, titles, caption, after_gap = {}, [], "", True
    for line in text.splitlines():
        if not line.strip():
            titles, after_gap = [], True
            continue
        if after_gap:
            caption, after_gap = re.split("[,:(]", line)[0].strip(), False
        found = columns(line)
        words = [word for word, _ in found]
        if len(found) > 2 and NAMES.intersection(words) and not any(NUMBER.match(word) for word in words):
            titles = found
            continue
        if not titles:
            continue
        cells = read_row(line, titles)
        row = " ".join(value for title, value in cells if title in NAMES)
        for title, value in cells:
            if title not in NAMES and NUMBER.match(value):
                figures[caption, row, title] = float(value)
    return figures
