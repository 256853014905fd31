#!/usr/bin/env python3
"""Writes unicode.bin from the Unicode Character Database: python3 make-unicode.py FOLDER_WITH_UnicodeData.txt

What is in it, as variable-length integers, deflated: which code points had been assigned in Unicode 8 and in 9; canonical combining classes and
decompositions as of Unicode 9, which is what the tokenizers of Hugging Face know; code points that composition excludes; scripts by name.
UnicodeReader.cs reads it in the same order.
"""
import os
import sys
import zlib

folder = sys.argv[1]
out = bytearray()


def number(value):
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def fields(name):
    for line in open(os.path.join(folder, name), encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line:
            first, *rest = [part.strip() for part in line.split(";")]
            low, _, high = first.partition("..")
            yield int(low, 16), int(high or low, 16), rest


def ranges(values):
    """Sorted (first, last, value) of a dictionary from code points, neighbors of one value joined."""
    result = []
    for point in sorted(values):
        if result and result[-1][1] == point - 1 and result[-1][2] == values[point]:
            result[-1][1] = point
        else:
            result.append([point, point, values[point]])
    return result


def write(values, with_value):
    rows = ranges(values)
    number(len(rows))
    before = 0
    for first, last, value in rows:
        number(first - before)
        number(last - first)
        before = last
        if with_value:
            number(value)


age = {}
for low, high, (version,) in fields("DerivedAge.txt"):
    for point in range(low, high + 1):
        age[point] = tuple(int(part) for part in version.split("."))

for version in ((8, 0), (9, 0)):
    write({point: 1 for point in age if age[point] <= version}, False)

classes, decompositions = {}, {}
for line in open(os.path.join(folder, "UnicodeData.txt"), encoding="utf-8"):
    row = line.split(";")
    point = int(row[0], 16)
    if age.get(point, (99, 0)) > (9, 0):
        continue
    if row[3] != "0":
        classes[point] = int(row[3])
    if row[5]:
        parts = row[5].split()
        compatible = parts[0].startswith("<")
        decompositions[point] = (compatible, [int(part, 16) for part in (parts[1:] if compatible else parts)])

write(classes, True)
number(len(decompositions))
before = 0
for point in sorted(decompositions):
    compatible, parts = decompositions[point]
    number(point - before)
    before = point
    number(len(parts) * 2 + compatible)
    for part in parts:
        number(part)

excluded = {}
for low, high, (name, *_) in fields("DerivedNormalizationProps.txt"):
    if name == "Full_Composition_Exclusion":
        for point in range(low, high + 1):
            if age.get(point, (99, 0)) <= (9, 0):
                excluded[point] = 1
write(excluded, False)

names, scripts = [], {}
for low, high, (name,) in fields("Scripts.txt"):
    if name not in names:
        names.append(name)
    for point in range(low, high + 1):
        scripts[point] = names.index(name)
number(len(names))
for name in names:
    number(len(name))
    out += name.encode("ascii")
write(scripts, True)

packer = zlib.compressobj(9, zlib.DEFLATED, -15)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "unicode.bin"), "wb") as file:
    file.write(packer.compress(bytes(out)) + packer.flush())
