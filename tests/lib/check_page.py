"""check_page.py FILE: a page of a relay is XML as well as HTML, and has what people need that do not see it. Prints its text."""
import re
import sys
import xml.etree.ElementTree as tree

text = open(sys.argv[1], encoding="utf-8").read()
assert text.startswith("<!DOCTYPE html>\n")
root = tree.fromstring(text)
names = {element.tag for element in root.iter()}
known = set("""html head meta title link body a header p strong nav ul li form label input button main h1 h2 h3 div span
            table caption thead tbody tr th td meter time dl dt dd figure img details summary pre footer""".split())
assert names <= known, names - known
attributes = {name for element in root.iter() for name in element.attrib}
assert not any(name.startswith("on") or name == "style" for name in attributes), attributes

assert root.get("lang") == "en"
assert root.find("head/title").text and len(root.findall(".//h1")) == 1 and len(root.findall(".//main")) == 1
identifiers = [element.get("id") for element in root.iter() if element.get("id")]
assert len(identifiers) == len(set(identifiers)), "an id occurs twice"
for image in root.iter("img"):
    assert image.get("alt"), "a drawing without words"
for field in root.iter("input"):
    assert any(label.get("for") == field.get("id") for label in root.iter("label")), "a field without a label"
for table in root.iter("table"):
    assert table.find("caption").text
    heads = [head.text for head in table.iter("th")]
    assert all(head.get("scope") == "col" for head in table.iter("th"))
    for row in table.findall("tbody/tr"):
        assert [cell.get("data-head") for cell in row] == heads, "cells do not stand below their heads"
for meter in root.iter("meter"):
    assert meter.get("aria-label") and meter.text
for link in root.iter("a"):
    assert re.match(r"/[a-z]*(\?|$)|#", link.get("href")), link.get("href")
    assert "".join(link.itertext()).strip(), "a link without words"
levels = [int(element.tag[1]) for element in root.iter() if re.fullmatch("h[1-6]", element.tag)]
assert all(after <= before + 1 for before, after in zip(levels, levels[1:])), levels
print(" ".join("".join(root.find("body").itertext()).split()))
