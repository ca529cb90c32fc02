"""Three rules of how pages read that a machine can check: no sentence of more than 40 words, on the
road (●) no term of the glossary before the place that links it, and in each lesson a link where it
first uses a term. Code and generated regions are not read."""

import re

WORDS_MAX = 40
GLOSSARY = "docs/glossary.md"
# Words of everyday use that look like a term of the glossary and are none.
NO_TERM = r"\b(completion|submission) queue"
# Terms that are everyday words as well: where a lesson means the term, only a reader can tell.
EVERYDAY = set("area cancel completion drain frame group handler home link mark overflow".split() +
               "peek populate registered reset short tick wake-up".split())


def blocks(text):
    """Paragraphs, list items, cells of tables and summaries: each a list of (line number, text)."""
    block, code, region = [], False, False
    for number, line in enumerate(text.splitlines(), 1):
        fence = line.lstrip().startswith("```")
        mark = re.match(r"<!-- lab:([a-z]+)", line)
        if code or region or fence or mark or not line.strip() or re.match(r"[#|<]|!\[", line):
            if block:
                yield block
            block = []
        if fence:
            code = not code
        elif mark and not code:
            region = mark[1] != "end"
        elif code or region or not line.strip() or line.startswith(("#", "![")):
            continue
        elif line.startswith("|"):
            yield from ([(number, cell)] for cell in line.strip("|").split("|"))
        elif line.startswith("<"):
            yield [(number, line)]
        else:
            if re.match(r" *([-*]|[0-9]+\.) ", line) and block:
                yield block
                block = []
            block.append((number, line))
    if block:
        yield block


def plain(text):
    """The text as it is read: a link is its words, code is one word, marks of emphasis are gone."""
    text = re.sub(r"`[^`]*`|<code>.*?</code>", "Code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"<[^>]*>|\*", "", text)


def long_sentences(text):
    """(line, number of words) of each sentence that is too long. The line is where its paragraph
    begins, for a sentence may run over several."""
    for block in blocks(text):
        words = plain(" ".join(line for _, line in block))
        for sentence in re.split(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z0-9])", words):
            count = sum(1 for word in sentence.split() if re.search(r"\w", word))
            if count > WORDS_MAX:
                yield block[0][0], count


def anchor(term):
    return term.lower().replace(" ", "-")


class Terms:
    """What the glossary explains, and which of it the pages read so far have linked."""

    def __init__(self, glossary):
        self.patterns = {}
        for term in re.findall(r"^### (.*)$", glossary, flags=re.MULTILINE):
            words = re.sub(r"[ _-]", "[ _-]", term.lower())
            self.patterns[term] = re.compile(rf"(?<![\w-]){words}(s|ed|es)?(?![\w-])")
        self.known = set()

    def used_too_early(self, text):
        """(line, term) of each term that this page, the next one of the road, uses and that no
        paragraph up to there links. A term is told once."""
        for block in blocks(text):
            raw = " ".join(" ".join(line for _, line in block).split())
            self.known.update(re.findall(r"glossary\.md#([\w-]+)\)", raw))
            words = re.sub(NO_TERM, "", plain(raw).lower())
            for term, pattern in self.patterns.items():
                if anchor(term) not in self.known and pattern.search(words):
                    self.known.add(anchor(term))
                    yield block[0][0], term

    def unlinked(self, text):
        """(line, term) of each term that this page uses before it links it. Words inside of links
        and in summaries, where there can be none, do not count; nor does "ring" in "buffer
        ring"."""
        known = set()
        for block in blocks(text):
            raw = " ".join(" ".join(line for _, line in block).split())
            known.update(re.findall(r"glossary\.md#([\w-]+)\)", raw))
            if raw.startswith("<"):
                continue
            words = plain(re.sub(r"!?\[[^\]]*\]\([^)]*\)", "Link", raw)).lower()
            words = re.sub(NO_TERM, "", words)
            for term in sorted(self.patterns, key=len, reverse=True):
                rest = self.patterns[term].sub("Term", words)
                if rest != words and anchor(term) not in known | EVERYDAY:
                    known.add(anchor(term))
                    yield block[0][0], term
                words = rest


def findings(pages):
    """(page, line, message) of what the rules find on all pages of a pages.Pages."""
    every = pages.pages()
    every += [page for page in pages.find("0[1-6]-*/*/README.md") if page not in every]
    for page in every:
        for line, count in long_sentences(pages.read(page)):
            yield page, line, (f"a sentence of {count} words, {WORDS_MAX} is the limit. "
                               "Cure: make two of it")
    terms = Terms(pages.read(GLOSSARY) if pages.exists(GLOSSARY) else "")
    for lesson in pages.lessons:
        page = f"{lesson.folder}/README.md"
        if pages.exists(page):
            for line, term in terms.unlinked(pages.read(page)):
                yield page, line, (f'"{term}" is not linked where this lesson first uses it. '
                                   f"Cure: link it to {GLOSSARY}#{anchor(term)} here")
        if lesson.has("●") and pages.exists(page):
            for line, term in terms.used_too_early(pages.read(page)):
                yield page, line, (f'"{term}" is used before the road explains it. '
                                   f"Cure: link it to {GLOSSARY}#{anchor(term)} here")
