"""What is tested with what: a protocol, an engine and a topology, and by how many tests.

Each test says its cells where CMake adds it, as PROTOCOL/ENGINE/TOPOLOGY (lab_cells in
.cmake/lab.cmake). They are read from the text of the CMakeLists.txt and not from a build: what a
build registers depends on its sanitizer and on what is installed, and a page does not.
Functions that add tests are known: a cell in the body of one counts once for each of its calls.

cells.py BUILD: compares what is read here with BUILD/cells.txt, what CMake was told.
"""

import os
import re
import sys
from collections import Counter

PROTOCOLS = {
    "echo": "echo", "lines": "lines", "session": "sessions", "http": "HTTP",
    "tls-echo": "TLS, echo inside", "tls-http": "TLS, HTTP inside", "proxy": "proxy",
}
ENGINES = {"io_uring": "io_uring", "portable": "portable", "model": "fake kernel"}
TOPOLOGIES = {"reuseport": "reuseport", "reactors": "reactors"}
# Cells that cannot be: the server refuses to start, and a test of tests/portable or tests/proxy
# holds it to that.
REFUSED = {(protocol, "portable", "reactors") for protocol in PROTOCOLS}
REFUSED.add(("proxy", "portable", "reuseport"))

CELL = re.compile(r"(?<![\w/-])({})/({})/({})(?![\w/])".format(
    *("|".join(words) for words in (PROTOCOLS, ENGINES, TOPOLOGIES))))
FUNCTION = re.compile(r"^ *function\((\w+)[^)]*\)\n(.*?)^ *endfunction\(", re.MULTILINE | re.DOTALL)


def counted(text):
    """The cells in the text of a CMakeLists.txt, each as often as a test says it."""
    text = re.sub(r"#.*", "", text)
    bodies = dict(FUNCTION.findall(text))
    outside = FUNCTION.sub("", text)
    cells = Counter(CELL.findall(outside))
    for name, body in bodies.items():
        calls = len(re.findall(rf"^ *{name}\(", outside, flags=re.MULTILINE))
        for cell in CELL.findall(body):
            cells[cell] += calls
    return cells


def all_cells(pages):
    cells = Counter()
    for path in pages.find("tests/*/CMakeLists.txt"):
        cells += counted(pages.read(path))
    return cells


def table(pages):
    """The lines of the table for a page."""
    cells = all_cells(pages)
    columns = [(engine, topology) for engine in ENGINES for topology in TOPOLOGIES]
    heads = [f"{ENGINES[engine]}, {TOPOLOGIES[topology]}" for engine, topology in columns]
    yield "| protocol | " + " | ".join(heads) + " |"
    yield "| --- |" + " --- |" * len(columns)
    for protocol, name in PROTOCOLS.items():
        row = []
        for engine, topology in columns:
            cell = (protocol, engine, topology)
            row.append("refused" if cell in REFUSED else str(cells[cell] or "**none**"))
        yield f"| {name} | " + " | ".join(row) + " |"


def main(build):
    import pages

    with open(os.path.join(build, "cells.txt"), encoding="utf-8") as file:
        told = Counter(tuple(line.split("/")) for line in file.read().split())
    read = all_cells(pages.Pages(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")))
    for cell in sorted(set(told) | set(read)):
        if told[cell] != read[cell]:
            print(f"{'/'.join(cell)}: CMake was told of {told[cell]} tests, and the text has "
                  f"{read[cell]}. Cure: say the cell in full at each test, or in a function whose "
                  "calls each add one")
    return 0 if told == read else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
