"""What a header in a chapter's lib declares and does not document, from Doxygen's XML.

undocumented.py FOLDER   one line for each finding; 1 if any

A declaration needs a comment that Doxygen sees (/// or ///<), if others can use it. None is needed
by what says the same everywhere: constructors of at most one parameter, destructors, what is
defaulted or deleted, assignment and comparison, the three functions of an awaiter, the handlers
on_..., a function one of whose overloads in the same class is documented, and a specialization that
is told by a value, as <Connection, false>: it does less than its template, in the same words.
"""

import glob
import os
import re
import sys
import xml.etree.ElementTree

LIBRARY = re.compile(r"^0[1-6]-[^/]+/lib/.*\.hpp$")
TYPES = ("class", "struct", "union", "concept")
EVERYWHERE = re.compile(r"~.*|operator(=|==|<=>)|await_(ready|suspend|resume)|on_.*")


def documented(element):
    return any("".join(element.find(kind).itertext()).strip()
               for kind in ("briefdescription", "detaileddescription")
               if element.find(kind) is not None)


def speaks_for_itself(function, owner):
    """Whether it is one of those that the first comment here names."""
    name, arguments = function.findtext("name"), function.findtext("argsstring") or ""
    if EVERYWHERE.fullmatch(name) or re.search(r"=\s*(delete|default)$", arguments):
        return True
    # A base's constructors, brought in by a using, have the base's name.
    owner = re.sub(r"<.*", "", owner).split("::")[-1]
    is_constructor = not "".join(function.find("type").itertext()).strip() \
        and not name.startswith("operator")
    return is_constructor and (name != owner or len(function.findall("param")) <= 1)


def of_members(compound):
    owner = compound.findtext("compoundname")
    members = [one for one in compound.iter("memberdef") if one.get("prot") != "private"]
    told = {one.findtext("name") for one in members if documented(one)}
    for one in members:
        kind, name = one.get("kind"), one.findtext("name")
        place = one.find("location")
        if kind == "friend":
            continue
        if kind == "enum":
            for value in one.findall("enumvalue"):
                if not documented(value):
                    yield place, "value", f"{owner}::{name}::{value.findtext('name')}"
        if documented(one) or not name:
            continue
        if kind == "function" and (name in told or speaks_for_itself(one, owner)):
            continue
        yield place, kind, f"{owner}::{name}"


def findings(folder):
    """(header, line, what) of each, sorted."""
    found = set()
    for path in glob.glob(folder + "/xml/*.xml"):
        for compound in xml.etree.ElementTree.parse(path).getroot().iter("compounddef"):
            kind, private = compound.get("kind"), compound.get("prot") == "private"
            if private or kind not in TYPES + ("file", "namespace"):
                continue
            if re.search(r"<.*\b(true|false)\b.*>", compound.findtext("compoundname")):
                continue
            lacking = list(of_members(compound))
            if kind in TYPES and not documented(compound):
                lacking.append((compound.find("location"), kind, compound.findtext("compoundname")))
            for place, what, name in lacking:
                found.add((place.get("file"), int(place.get("line")), f"{what} {name}"))
    return sorted(one for one in found if LIBRARY.match(one[0]))


def check(folder):
    if not os.path.isdir(folder + "/xml"):
        print(f"{folder}/xml: nothing is there. Cure: GENERATE_XML = YES")
        return 1
    found = findings(folder)
    for header, line, what in found:
        print(f"{header}:{line}: {what} has no comment. Cure: /// before it, or ///< behind it: "
              "units, errors, lifetime, since which kernel")
    return 1 if found else 0


def main():
    if len(sys.argv) != 2:
        sys.exit("undocumented.py: wants Doxygen's folder. Cure: undocumented.py FOLDER")
    return check(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
