"""Fills the regions of Markdown pages. What is between a line "<!-- lab:NAME ... -->" and the line
"<!-- lab:end -->" comes from the lessons' own files, so a page cannot say what a program does not.

pages.py fill|check [PAGE...]: fills all pages, or these; or says which regions are stale. Checking
all pages also checks how they read (prose.py).
Exit 1 when a page has an error, or (check) a stale region or a finding.
"""

import difflib
import glob
import os
import re
import sys
import textwrap

import cells
import prose

REGIONS = ("facts run code break mistake exercise next lessons kernels opcodes components"
           " totals cells").split()
OF_A_LESSON = "facts run break exercise next".split()
KERNELS_OF_THE_LAB = "6.1 6.12 6.18 7.2".split()
WALK_BEGIN = re.compile(r"^\s*// \[walk ([a-z0-9-]+)\]$")
WALK_END = re.compile(r"^\s*// \[/walk\]$")


class PageError(Exception):
    """What is wrong with a region, in words for who writes the page."""


# ---- what lessons and sources say


def version(text):
    """A kernel or liburing number that sorts: 6.12 after 6.4."""
    return [int(part) for part in re.findall(r"\d+", text)[:2]]


class Lesson:
    """A folder like 03-network/07-multishot-recv, and what its facts.txt says."""

    def __init__(self, folder, facts):
        self.folder = folder
        self.facts = {}
        for line in facts.splitlines():
            key, colon, value = line.partition(":")
            if colon:
                self.facts[key] = value.strip()

    def __getitem__(self, key):
        return self.facts.get(key, "")

    def number(self, separator):
        """03/07 for a command, 03-07 for a heading."""
        chapter, name = self.folder.split("/")
        return chapter[:2] + separator + name[:2]

    def program(self):
        """The program is named as the folder: 07-multishot-recv/multishot_recv.cpp."""
        return self.folder.split("/")[1][3:].replace("-", "_")

    def minutes(self):
        return int(self["minutes"] or 0)

    def listed(self, key, pattern=r"\s*,\s*"):
        return [one for one in re.split(pattern, self[key]) if one]

    def has(self, mark):
        return mark in self["marks"]

    def ran_on(self):
        """The kernels of the lab's own runs; a line "ran:" names them where some lack the hardware
        or the configuration."""
        if "ran" in self.facts:
            return self.listed("ran")
        return [k for k in KERNELS_OF_THE_LAB if version(k) >= version(self["kernel"])]


def walk(source, name):
    """The excerpt between "// [walk NAME]" and "// [/walk]"; None when there is none. Pieces of one
    name are joined by a line "// ...". Lines of the marks themselves are left out."""
    pieces, inside = [], None
    for number, line in enumerate(source.splitlines(), 1):
        begin = WALK_BEGIN.match(line)
        if begin:
            if inside:
                raise PageError(f"line {number}: [walk {begin[1]}] inside [walk {inside}]")
            inside = begin[1]
            if inside == name:
                pieces.append([])
        elif WALK_END.match(line):
            if not inside:
                raise PageError(f"line {number}: [/walk] without [walk NAME]")
            inside = None
        elif inside == name:
            pieces[-1].append(line)
    if inside:
        raise PageError(f"[walk {inside}] has no [/walk]")
    if not pieces:
        return None
    blocks = ["\n".join(piece).strip("\n") for piece in pieces]
    indent = re.match(r" *", blocks[-1])[0]
    return textwrap.dedent(f"\n{indent}// ...\n".join(blocks)) + "\n"


def definition(source, name):
    """The definition of `name` that begins at column 0, with its comment and its template line: for
    pages that have no walk yet."""
    lines = source.splitlines()
    start = 0
    while start < len(lines):
        if not lines[start] or lines[start][0] in " #}" or "namespace" in lines[start]:
            start += 1
            continue
        first = start
        while start < len(lines) and lines[start].startswith("//"):
            start += 1
        head, end = "", start
        while end < len(lines) and lines[end]:
            head += lines[end] + "\n"
            if re.search(r"\{\s*(//.*)?$", lines[end]):
                body = end + 1
                while body < len(lines) and not lines[body].startswith("}"):
                    body += 1
                end = body
                break
            if re.search(r"[;}]\s*(//.*)?$", lines[end]):
                break
            end += 1
        if "{" in head and defines(head, name):
            return "\n".join(lines[first : end + 1]) + "\n"
        start = max(end, start) + 1
    return None


def defines(head, name):
    """Is this the head of a definition of `name`: "... name(", "struct name", "name[] ="?"""
    head = re.sub(r"^template <[^{]*> ?|\[\[\w+\]\] ", "", head)
    before = re.split(r"[({=\[]", head, maxsplit=1)[0]
    before = re.sub(r"template\s*<.*>", " ", before)
    words = re.sub(r"[*&:;]", " ", before).split()
    if words and words[0] in ("struct", "class", "union", "enum", "concept"):
        return name in words[1:]
    return bool(words) and words[-1] == name


# ---- what programs print


def readable(pattern):
    """A regular expression as a line: numbers are N, anything is "...", a choice is "a or b". None
    where that would mislead."""
    choices = re.split(r"\|(?![^(]*\))", pattern)
    if len(choices) > 1:
        choices = [readable(one) for one in choices]
        return None if None in choices else "\n    or: ".join(choices)
    pattern = pattern.replace("([0-9]+)", "[0-9]+")
    pattern = re.sub(r"\[[01]-9\](\[0-9\])*[+*]?", "N", pattern)
    pattern = pattern.replace("N\\.N", "N").replace(" +", " ")
    pattern = re.sub(r"\((\w+(?: \w+)*)((?:\|\w+(?: \w+)*)+)\)",
                     lambda m: m[1] + m[2].replace("|", " or "), pattern)
    plain, at = "", 0
    while at < len(pattern):
        one = pattern[at]
        if one == "\\":
            plain += pattern[at + 1 : at + 2]
            at += 2
        elif one == "." and pattern[at + 1 : at + 2] in ("*", "+"):
            plain += "..."
            at += 2
        elif one in "][(){}*+?|^$.":
            return None
        else:
            plain += one
            at += 1
    return plain


def printed(expected):
    """What compare.awk compares with, as a reader wants it: the newest kernel's lines, and what
    older kernels print instead as [(kernel, line)]; and whether an N shows."""
    lines, before, numbers = [], [], False
    for line in expected.splitlines():
        guard = re.match(r"\[(-?)([0-9]+\.[0-9]+)\+?\] ", line)
        if guard:
            line = line[guard.end() :]
        line = line.removeprefix("[quiet] ")
        if line.startswith("~ "):
            line = readable(line[2:])
            if line is None:
                line = "(this line varies)"
            elif re.search(r"\bN\b", line):
                numbers = True
        if guard and guard[1]:
            if line != "...":
                before.append((guard[2], line.strip()))
        else:
            lines.append(line)
    return lines, before, numbers


def changed(expected, broken):
    """The lines of `broken` that `expected` does not have at their place; "..." for the rest."""
    shown = []
    matcher = difflib.SequenceMatcher(None, expected, broken, autojunk=False)
    for what, _, _, first, last in matcher.get_opcodes():
        for line in broken[first:last] if what in ("replace", "insert") else ["..."]:
            if line != "..." or not shown or shown[-1] != "...":
                shown.append(line)
    return shown if any(line != "..." for line in shown) else broken


def short_diff(diff):
    """A unified diff with one line around each change; what is left out between them is "@@"."""
    lines = [line for line in diff.splitlines()
             if not re.match(r"(---|\+\+\+) |[ +-]\s*// \[/?walk", line)]
    is_change = [line[:1] in ("-", "+") for line in lines] + [False]
    shown, last = [], None
    for i, line in enumerate(lines):
        if line.startswith("@@"):
            continue
        near = (i > 0 and is_change[i - 1]) + is_change[i + 1]
        if not is_change[i] and near < (2 if not line.strip() else 1):
            continue
        if last is not None and last != i - 1:
            shown.append("@@")
        last = i
        shown.append(line)
    return shown


# ---- pages


def time_words(minutes):
    return f"about {minutes} minutes" if minutes < 120 else f"about {int(minutes / 60 + 0.5)} hours"


def listing(words):
    """6.1, 6.12 and 7.2"""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def cell(value):
    return value.replace("|", "\\|")


def anchors(text):
    """What a link to a heading of this page may name, as the web host of the repository does."""
    heads = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]


class Pages:
    """All pages of a tree, its lessons and its files; `root` is where paths begin."""

    def __init__(self, root="."):
        self.root = root
        self.lessons = []
        self.anchors = {}
        for path in self.find("0[1-6]-*/[0-9][0-9]-*/facts.txt"):
            self.lessons.append(Lesson(os.path.dirname(path), self.read(path)))
        self.by_folder = {lesson.folder: lesson for lesson in self.lessons}

    def find(self, pattern):
        found = glob.glob(pattern, root_dir=self.root)
        return sorted(found)

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def read(self, path):
        try:
            with open(os.path.join(self.root, path), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            raise PageError(f"no file {path}") from None

    def pages(self):
        places = ["", "docs/", "docs/site/", "0[1-6]-*/", "0[1-6]-*/*/"]
        names = ["README.md", "*.md", "*.md", "README.md", "README.md"]
        return [page for place, name in zip(places, names) for page in self.find(place + name)]

    def included(self, path):
        """The headers of the repository that a source is made with, and their own."""
        found, due = set(), [path]
        while due:
            source = self.read(due.pop())
            for header in re.findall(r'^#include "(0[1-6]-[^"]+)"', source, flags=re.MULTILINE):
                if header in found:
                    continue
                found.add(header)
                due.append(header)
                if self.exists(header[:-4] + ".cpp"):
                    due.append(header[:-4] + ".cpp")
        return found

    def fill(self, page):
        """(the page's text with its regions filled, [(line, region)] of what changed,
        [(line, message)] of what is wrong)"""
        text, stale, wrong = [], [], []
        region, old, new = None, [], []
        for number, line in enumerate(self.read(page).splitlines(), 1):
            if re.match(r"<!-- lab:[a-z]", line) and line != "<!-- lab:end -->":
                if region:
                    wrong.append((region[0], f"{region[1]} has no <!-- lab:end -->"))
                region, old, new = (number, line), [], []
                text.append(line)
                try:
                    new = Region(self, page).lines(line)
                except PageError as error:
                    wrong.append((number, str(error)))
            elif line == "<!-- lab:end -->":
                if not region:
                    wrong.append((number, "lab:end without a region"))
                elif new != old:
                    stale.append(region)
                text += new + [line]
                region, new = None, []
            elif region:
                old.append(line)
            else:
                text.append(line)
        if region:
            wrong.append((region[0], f"{region[1]} has no <!-- lab:end -->"))
        wrong += self.lost_anchors(page, text)
        return "\n".join(text) + "\n", stale, wrong

    def lost_anchors(self, page, lines):
        """Links to a heading that is not there; tests/tidy checks the files."""
        for number, line in enumerate(lines, 1):
            for path, anchor in re.findall(r"\]\(([^()#:\s]*)#([^()\s]+)\)", line):
                beside = os.path.join(os.path.dirname(page), path)
                target = os.path.normpath(beside) if path else page
                if target not in self.anchors and self.exists(target):
                    self.anchors[target] = anchors(self.read(target))
                if anchor not in self.anchors.get(target, [anchor]):
                    yield number, f"{target} has no heading #{anchor}"


class Region:
    """One region of a page: lines(its first line) gives what belongs between it and its end."""

    def __init__(self, pages, page):
        self.pages = pages
        self.page = page
        self.home = os.path.dirname(page)
        self.lesson = pages.by_folder.get(self.home)

    def lines(self, head):
        match = re.match(r"<!-- lab:(.*?) *-->\s*$", head)
        if not match:
            raise PageError("the region's line does not end with -->")
        name, *words = match[1].split()
        if name not in REGIONS:
            raise PageError(f"no region lab:{name}. There are: {' '.join(REGIONS)}")
        if name in OF_A_LESSON and not self.lesson:
            raise PageError(f"lab:{name} belongs into the README of a lesson that has a facts.txt")
        text = []
        for part in getattr(self, "fill_" + name)(*words):
            text += part.split("\n")
        return text

    def read_own(self, name):
        return self.pages.read(f"{self.home}/{name}")

    def path_to(self, path):
        return os.path.relpath(path, self.home or ".")

    def link(self, lesson):
        return f"[{lesson.number('-')} {lesson['title']}]({self.path_to(lesson.folder)}/README.md)"

    def short_link(self, lesson):
        name = lesson.number("-") + lesson.folder.split("/")[1][2:]
        return f"[{name}]({self.path_to(lesson.folder)}/README.md)"

    @staticmethod
    def block(kind, content):
        return [f"```{kind}", content.rstrip("\n"), "```"]

    # ---- a lesson's own

    def fill_facts(self):
        lesson, marks = self.lesson, []
        if lesson.has("●"):
            marks.append("● on the road to the capstone")
        if lesson.has("★"):
            marks.append("★ becomes part of a component")
        if lesson.has("⚠"):
            marks.append("⚠ contains a broken program")
        if marks:
            yield "- " + "; ".join(marks)
        kernel, ran = lesson["kernel"], lesson.ran_on()
        line = f"- Its main idea exists since Linux {kernel} and liburing {lesson['liburing']}."
        yield line + (f" Ran on {listing(ran)}." if ran else " Documented, not run.")
        line = f"- About {lesson['minutes']} minutes."
        operations = lesson.listed("opcodes")
        if operations:
            line += " Operations: " + ", ".join(f"`{one}`" for one in operations) + "."
        yield line
        components = lesson.listed("component", r"\s+")
        if components:
            yield "- " + ", ".join(f"[★ {one}]({self.path_to(one)})" for one in components)
        yield ""
        yield f"**{lesson['goal']}**"

    def fill_run(self):
        lesson, number, name = self.lesson, self.lesson.number("/"), self.lesson.program()
        yield from self.block("sh", f"./lab run {number}\n# or by hand:\n"
                              f"g++ {self.home}/{name}.cpp $(./lab env {number}) -o build/{name} "
                              f"&& build/{name}")
        yield from ["", "It prints:", ""]
        lines, before, numbers = printed(self.read_own("expected.txt"))
        yield from self.block("text", "\n".join(lines))
        if numbers or before:
            yield ""
        if numbers:
            yield "`N` is a number that differs from run to run."
        for kernel, line in before:
            yield f"Before Linux {kernel}: `{line}`."
        extras = self.pages.find(f"{self.home}/*.expected.txt")
        names = [os.path.basename(path)[: -len(".expected.txt")] for path in extras]
        if names:
            yield ""
            what = "A second program" if len(names) == 1 else "More programs"
            yield f"{what}: " + ", ".join(f"`./lab run {number} {one}`" for one in names) + "."
        if self.pages.exists(f"{self.home}/recorded.txt"):
            machine, _, figures = self.read_own("recorded.txt").partition("\n")
            yield from ["", f"The figures of one recorded run ({machine}); yours will differ:", ""]
            yield from self.block("text", figures)

    def fill_code(self, file="", *names):
        if not names:
            raise PageError("lab:code needs a file and a name: lab:code nop.cpp main")
        path = file if "/" in file else os.path.join(self.home, file)
        source = self.pages.read(path)
        found = []
        for name in names:
            try:
                one = walk(source, name) or definition(source, name)
            except PageError as error:
                raise PageError(f"{path}: {error}") from None
            if one is None:
                raise PageError(f'{path} has no "// [walk {name}]", and at the left margin no '
                                f'function, struct, class, enum or table "{name}"')
            found.append(one)
        yield from self.block("cpp", "\n".join(found))

    def fill_break(self):
        yield f"`./lab break {self.lesson.number('/')}` makes this change and runs the program:"
        yield ""
        yield from self.block("diff", "\n".join(short_diff(self.read_own("break.diff"))))
        expected = printed(self.read_own("expected.txt"))[0]
        broken, _, numbers = printed(self.read_own("broken.txt"))
        yield from ["", "What it prints now (only the lines that change):", ""]
        yield from self.block("text", "\n".join(changed(expected, broken)))
        if numbers:
            yield from ["", "`N` is a number that differs from run to run."]

    def fill_mistake(self, lesson=""):
        """The change that a lesson's break makes, for a page that is not the lesson's."""
        if lesson not in self.pages.by_folder:
            raise PageError("lab:mistake needs a lesson's folder: lab:mistake 01-core/01-nop")
        diff = self.pages.read(f"{lesson}/break.diff")
        yield from self.block("diff", "\n".join(short_diff(diff)))

    def fill_exercise(self):
        task, number = self.lesson["exercise"], self.lesson.number("/")
        if not task:
            raise PageError("facts.txt has no line exercise:")
        yield task[0].upper() + task[1:] + ("" if task[-1] in ".!?" else ".")
        yield (f"`./lab exercise {number}` copies the starter to `mine.cpp`, and then checks what "
               "is in `mine.cpp`.")
        yield (f"Each `./lab hint {number}` gives one more step; `./lab solution {number}` shows a "
               "solution to compare with.")

    def fill_next(self):
        later = self.pages.lessons[self.pages.lessons.index(self.lesson) + 1 :]
        capstone = f"[the capstone]({self.path_to('06-server/README.md')})"
        on_road = next((one for one in later if one.has("●")), None)
        if not later:
            yield f"That was the last lesson. What they lead to: {capstone}."
        elif not self.lesson.has("●"):
            yield self.link(later[0]) + "."
        elif on_road is later[0]:
            yield f"● {self.link(on_road)}."
        else:
            yield (f"- ● The road: {self.link(on_road)}." if on_road
                   else f"- ● The road ends here, at {capstone}.")
            yield f"- In order: {self.link(later[0])}."

    # ---- tables over all lessons

    def fill_lessons(self, chapter=None):
        inside = [one for one in self.pages.lessons
                  if one.folder.startswith((chapter or self.home) + "/")]
        if not inside:
            yield "No lesson of this chapter is written yet."
            return
        yield "| lesson | marks | what you can do then | minutes | kernel |"
        yield "| --- | --- | --- | --- | --- |"
        for one in inside:
            yield (f"| {cell(self.link(one))} | {one['marks']} | {cell(one['goal'])} | "
                   f"{one['minutes']} | {one['kernel']} |")
        yield ""
        yield ("● on the road to the capstone · ★ becomes part of a component · "
               "⚠ contains a broken program")
        yield ""
        road = sum(one.minutes() for one in inside if one.has("●"))
        yield (f"{len(inside)} lesson{'s' if len(inside) > 1 else ''}, "
               + time_words(sum(one.minutes() for one in inside))
               + (f"; the ones with ● {time_words(road)}." if road else "."))

    def table(self, heads, rows):
        yield f"| {heads[0]} | {heads[1]} |"
        yield "| --- | --- |"
        for first, lessons in rows:
            yield f"| {first} | {cell(', '.join(self.short_link(one) for one in lessons))} |"

    def fill_kernels(self):
        of = {}
        for one in self.pages.lessons:
            of.setdefault(one["kernel"], []).append(one)
        yield from self.table(("oldest kernel", "lessons"),
                              [(kernel, of[kernel]) for kernel in sorted(of, key=version)])

    def fill_opcodes(self):
        of = {}
        for one in self.pages.lessons:
            for operation in one.listed("opcodes"):
                of.setdefault(operation, []).append(one)
        yield from self.table(("operation", "lessons"),
                              [(f"`IORING_OP_{name}`", of[name]) for name in sorted(of)])

    def fill_components(self, program=None):
        """All of the chapters 01 to 05, and of the server's those that a lesson leads to; or what
        a program is made of."""
        of = {path: one for one in self.pages.lessons
              for path in one.listed("component", r"\s+")}
        paths = self.pages.find("0[1-5]-*/lib/*.hpp")
        if program:
            paths = sorted(set(paths) & self.pages.included(program))
        yield "| component | its lesson |"
        yield "| --- | --- |"
        for path in paths + sorted(set(of) - set(self.pages.find("0[1-5]-*/lib/*.hpp"))):
            lesson = cell(self.link(of[path])) if path in of else "its lesson is not written yet"
            yield f"| [{path}]({self.path_to(path)}) | {lesson} |"

    def fill_cells(self):
        yield from cells.table(self.pages)

    def fill_totals(self):
        lessons = self.pages.lessons
        road = [one for one in lessons if one.has("●")]
        exercises = sum(1 for one in lessons if one["exercise"])
        yield (f"{len(lessons)} lessons, {time_words(sum(one.minutes() for one in lessons))}; "
               f"{len(road)} of them are the road to the capstone (●), "
               f"{time_words(sum(one.minutes() for one in road))}. {exercises} have an exercise.")


def main(verb, *wanted):
    pages = Pages()
    bad = False
    for page in wanted or pages.pages():
        try:
            text, stale, wrong = pages.fill(page)
        except PageError as error:
            text, stale, wrong = "", [], [(1, str(error))]
        for line, message in wrong:
            print(f"pages: {page}:{line}: {message}", file=sys.stderr)
            bad = True
        if verb == "check":
            for line, region in stale:
                print(f"{page}:{line}: {region}: stale. Cure: ./lab format", file=sys.stderr)
                bad = True
        elif stale and not wrong:
            # Written over, not moved: the file keeps its mode, and an editor its inode.
            with open(page, "w", encoding="utf-8") as file:
                file.write(text)
            print(f"pages: filled {page}", file=sys.stderr)
    if verb == "check" and not wanted:
        for page, line, message in prose.findings(pages):
            print(f"{page}:{line}: {message}", file=sys.stderr)
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
