"""The site: what Doxygen is given instead of the repository's Markdown pages, and what is done to
its result.

pages FOLDER   writes FOLDER/pages, one page with an id for each Markdown page
finish FOLDER  adds to FOLDER/html what is not Doxygen's: pictures, sources, scripts
check FOLDER   each link, picture and anchor of FOLDER/html that leads nowhere; 1 if any

A link of the repository leads on the site to the page, to the API of a header, or to a page with
the text of the source that it names.
"""

import glob
import html
import html.parser
import json
import os
import re
import shutil
import sys
import urllib.parse

import pages

CHAPTERS = sorted(glob.glob("0[1-6]-*"))
START = "docs/site/start.md"
FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
HEADING = re.compile(r"^(#{1,6}) +(.*?)\s*$")
LESSON = re.compile(r"^(0[1-6]-[^/]+)/(\d\d)-[^/]+/README\.md$")
# What the ring model replays. Its words are the lessons' own.
TRACES = ("01-core/01-nop 01-core/03-batch 01-core/08-cq-overflow 01-core/12-lifetime "
          "02-files/13-io-wq 03-network/07-multishot-recv 03-network/08-broken-echo "
          "03-network/09-ordered-echo").split()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


# ---- the pages of the repository, and their names on the site


def markdown_pages():
    found = [START, "README.md"] + sorted(glob.glob("docs/*.md"))
    for chapter in CHAPTERS:
        found += sorted(glob.glob(chapter + "/**/*.md", recursive=True))
    return [page for page in found if not page.endswith("/hints.md")]


def page_id(page):
    """01-core/03-batch/README.md is lesson-01-03; docs/errno.md is page-errno."""
    if page == START:
        return "index"
    lesson = LESSON.match(page)
    if lesson:
        return f"lesson-{page[:2]}-{lesson[2]}"
    name = page.removeprefix("docs/").removesuffix(".md").removesuffix("/README")
    return "page-" + re.sub(r"[^a-z0-9]+", "-", name.lower())


def parent(page):
    """The page under which this one is in the side bar."""
    chapter = page.split("/")[0]
    if chapter in CHAPTERS and page != chapter + "/README.md":
        return chapter + "/README.md"
    return None if page == START else START


def slug(text):
    """The anchor that the web host of the repository gives to a heading."""
    text = LINK.sub(r"\2", text)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def reading_order():
    """Chapters and lessons as they are read one after the other."""
    order = []
    for chapter in CHAPTERS:
        order.append(chapter + "/README.md")
        order += sorted(p for p in glob.glob(chapter + "/*/README.md") if LESSON.match(p))
    return order


def is_api(path):
    return path.endswith(".hpp") and path.split("/")[0] in CHAPTERS + ["docs"] \
        and os.path.basename(path) != "check.hpp"


def source_page(path):
    return "source/" + path.rstrip("/") + ("/index.html" if os.path.isdir(path) else ".html")


# ---- Markdown to what Doxygen reads


class Page:
    """One page on its way to the site."""

    def __init__(self, path, known):
        self.path = path
        self.known = known
        self.sources = set()
        self.pictures = set()
        self.children = []

    def target(self, link):
        """The page or file that a link of this page names, and its anchor."""
        path, _, anchor = link.partition("#")
        if not path:
            return self.path, anchor
        path = os.path.normpath(os.path.join(os.path.dirname(self.path), path))
        if path + "/README.md" in self.known:
            path += "/README.md"
        return path, anchor

    def link(self, match):
        mark, text, link = match.groups()
        if re.match(r"[a-z]+:", link):
            return match[0]
        path, anchor = self.target(link)
        if mark:
            if not os.path.isfile(path):
                return match[0]
            self.pictures.add(path)
            alt = html.escape(text)
            return f'<img class="picture" src="{os.path.basename(path)}" alt="{alt}"/>'
        if path in self.known:
            if not anchor and parent(path) == self.path and path not in self.children:
                self.children.append(path)
                if self.path == START:
                    # The side bar leaves out what is below the main page, so these have no parent.
                    return f"[{text}]({page_id(path)}.html)"
                text = text.replace("`", "").replace('"', "'")
                return f'@subpage {page_id(path)} "{text}"'
            to = page_id(path) + ".html"
            return f"[{text}]({to}{'#' + page_id(path) + '--' + anchor if anchor else ''})"
        if is_api(path) and os.path.isfile(path):
            return f"[{text}](@ref {path})"
        if os.path.exists(path):
            self.sources.add(path)
            return f"[{text}]({source_page(path)})"
        return match[0]  # The check finds it.

    def convert(self, text):
        """The page's text as Doxygen reads it."""
        out, prose, seen = [], [], {}
        fenced = False

        def flush():
            # A link may be broken over two lines, so paragraphs are looked at whole.
            out.append(LINK.sub(self.link, "\n".join(prose)) if prose else None)
            prose.clear()

        for line in text.split("\n"):
            if FENCE.match(line):
                if not fenced:
                    flush()
                fenced = not fenced
                out.append(line)
                continue
            if fenced:
                out.append(line)
                continue
            heading = HEADING.match(line)
            if heading:
                flush()
                out.append(self.heading(heading, seen))
            elif line.strip() == "<!-- site:model -->":
                flush()
                out.append(MODEL)
            elif line.strip().startswith("<!--") and line.strip().endswith("-->"):
                flush()
            else:
                prose.append(line)
        flush()
        return "\n".join(line for line in out if line is not None) + "\n"

    def heading(self, heading, seen):
        level, text = heading.groups()
        if level == "#":
            if self.path == "README.md":
                text = "About the lab"  # The start page has the name.
            return f"# {text} {{#{'mainpage' if self.path == START else page_id(self.path)}}}"
        anchor = slug(text)
        number = seen[anchor] = seen.get(anchor, -1) + 1
        anchor += f"-{number}" if number else ""
        return f"{level} {LINK.sub(self.link, text)} {{#{page_id(self.path)}--{anchor}}}"


MODEL = """@htmlonly[block]
<div id="ring-model"></div>
<script src="traces.js"></script>
<script src="model.js"></script>
@endhtmlonly"""


def title(page):
    return re.search(r"^# +(.*)$", read(page), re.M)[1].replace("`", "")


def steps(page, order):
    """Previous and next, in the order in which the chapters are read."""
    if page not in order:
        return ""
    at = order.index(page)
    links = []
    for way, to in (("previous", at - 1), ("next", at + 1)):
        if 0 <= to < len(order):
            links.append(f'<a class="{way}" rel="{"prev" if way == "previous" else way}" '
                         f'href="{page_id(order[to])}.html"><small>{way}</small>'
                         f"{html.escape(title(order[to]))}</a>")
    return "\n@htmlonly[block]\n<div class=\"steps\">" + "".join(links) + "</div>\n@endhtmlonly\n"


def make_pages(folder):
    known = markdown_pages()
    order = reading_order()
    made = {path: Page(path, known) for path in known}
    texts = {path: page.convert(read(path)) for path, page in made.items()}
    for path in known:
        above = parent(path)
        if above not in (None, START) and path not in made[above].children:
            # Not linked from the page above it: it is listed there, or the side bar had no place.
            texts[above] += f'\n- @subpage {page_id(path)} "{title(path)}"\n'
    shutil.rmtree(folder + "/pages", ignore_errors=True)
    # The side bar has the pages in the order of their files' names: first as the start page does.
    first = made[START].children
    for path in known:
        place = first.index(path) if path in first else len(first)
        write(f"{folder}/pages/{place:02}-{page_id(path)}.markdown",
              texts[path] + steps(path, order))
    write(folder + "/pages/made.json", json.dumps({
        "sources": sorted(set().union(*(page.sources for page in made.values()))),
        "pictures": sorted(set().union(*(page.pictures for page in made.values())))}))


# ---- what is added to Doxygen's result


def write_source(out, path):
    """A page with the text of one file, or with the names in one folder."""
    place = f"{out}/{source_page(path)}"
    up = "../" * source_page(path).count("/")
    if os.path.isdir(path):
        rows = []
        for name in sorted(os.listdir(path)):
            below = f"{path}/{name}"
            if name.startswith(".") or name == "__pycache__":
                continue
            write_source(out, below)
            here = f"{name}/index.html" if os.path.isdir(below) else f"{name}.html"
            rows.append(f'<li><a href="{here}">{html.escape(name)}</a></li>')
        body = "<ul>" + "".join(rows) + "</ul>"
    else:
        body = f"<pre>{html.escape(read(path))}</pre>"
    write(place, f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(path)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{up}site.css"></head>
<body class="source"><p><a href="{up}index.html">The io_uring lab</a></p>
<h1>{html.escape(path)}</h1>{body}</body></html>
""")


def write_traces(out):
    """What the lessons print, for the model: a script, because a page from a file can load one."""
    traces = {}
    for lesson in TRACES:
        expected, broken = (pages.printed(read(f"{lesson}/{kind}.txt"))[0]
                            for kind in ("expected", "broken"))
        traces[page_id(lesson + "/README.md").removeprefix("lesson-")] = {
            "expected": expected, "broken": pages.changed(expected, broken)}
    write(out + "/traces.js", "var LAB_TRACES = " + json.dumps(traces, indent=1) + ";\n")


def lessons_of_components():
    """header -> the page of the lesson that it grew out of."""
    lessons = {}
    for facts in glob.glob("0[1-6]-*/[0-9][0-9]-*/facts.txt"):
        for headers in re.findall(r"^component: *(.*)$", read(facts), re.M):
            page = os.path.dirname(facts) + "/README.md"
            lessons.update({header.strip(): page for header in headers.split(",")})
    return lessons


def amended(text, lessons):
    """A page of Doxygen's, with the lesson of its header, and without two mistakes of 1.9.4."""
    named = re.search(r"<title>[^<]*: (\S+) File Reference</title>", text)
    page = lessons.get(named[1]) if named else None
    if page:
        note = (f'<div class="contents">\n<p class="grown">Its lesson: '
                f'<a href="{page_id(page)}.html">{html.escape(title(page))}</a></p>')
        text = text.replace('<div class="contents">', note, 1)
    # Private nested classes get no section, but a link to it.
    if 'id="nested-classes"' not in text:
        text = re.sub(r'<a href="#nested-classes">[^<]*</a>( &#124;\n)?', "", text)
    # `file:line:` in a text is no address.
    return re.sub(r'<a href="file:[^"]*">([^<]*)</a>', r"\1", text)


def finish(folder):
    out = folder + "/html"
    made = json.loads(read(folder + "/pages/made.json"))
    for path in made["pictures"]:
        shutil.copy(path, out)
    for path in made["sources"]:
        write_source(out, path)
    for path in ("docs/site/site.css", "docs/site/site.js", "docs/site/model.js"):
        shutil.copy(path, out)
    write_traces(out)
    lessons = lessons_of_components()
    for path in glob.glob(out + "/*.html"):
        before = read(path)
        after = amended(before, lessons)
        if after != before:
            write(path, after)


# ---- the check


class Links(html.parser.HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, text):
        super().__init__()
        self.links = []
        self.anchors = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif (name in ("href", "src") or (tag == "object" and name == "data")) and value:
                self.links.append((self.getpos()[0], value))


def check(folder):
    out = folder + "/html"
    parsed = {os.path.relpath(path, out): Links(read(path))
              for path in glob.glob(out + "/**/*.html", recursive=True)}
    findings = []
    for name, page in sorted(parsed.items()):
        for line, link in page.links:
            if re.match(r"(https?|mailto|javascript|data):", link):
                continue
            path, _, anchor = urllib.parse.unquote(link).partition("#")
            to = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if not os.path.isfile(f"{out}/{to}"):
                findings.append(f"{name}:{line}: {link} leads to nothing")
            elif anchor and to in parsed and anchor not in parsed[to].anchors:
                findings.append(f"{name}:{line}: {link}: no such anchor on that page")
    for finding in findings:
        print(finding)
    if not parsed:
        print(f"{out}: no page is there")
    return 1 if findings or not parsed else 0


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("pages", "finish", "check"):
        sys.exit("site_pages.py: wants a verb and a folder. Cure: pages|finish|check FOLDER")
    return {"pages": make_pages, "finish": finish, "check": check}[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
