"""Makes gnuplot's SVGs small and leaves the pictures as they are: plot.py FILE.svg...

gnuplot writes a group for every tick and mark. Here lines that look the same are one path, round
marks are a path of dots, texts come last, those of one look in one group, and coordinates have one
digit after the point. A file that is not gnuplot's stays as it is. What is not known is refused.
"""

import re
import sys
import xml.etree.ElementTree as xml
from xml.sax.saxutils import escape

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
FONT_PX = "13"


class Unknown(Exception):
    """Something that gnuplot did not write when this was made."""


def short(number):
    """12.00: 12. 12.345: 12.3."""
    return f"{float(number):.1f}".removesuffix(".0")


def colour(text):
    """rgb( 86, 180, 233): #56b4e9."""
    parts = re.findall(r"\d+", text) if text.startswith("rgb") else []
    return "#" + "".join(f"{int(part):02x}" for part in parts) if parts else text


def steps(path):
    """M12.34,5.00 L16.34,5.00 L6.78,9.10: M12.3 5h4L6.8 9.1."""
    out, last = "", (None, None)
    for command, x, y in re.findall(r"([MLZ]?)\s*(?:(-?[\d.]+),(-?[\d.]+))?\s*", path):
        if x:
            at = short(x), short(y)
            if command == "L" and at[1] == last[1]:
                out += "h" + short(float(at[0]) - float(last[0]))
            elif command == "L" and at[0] == last[0]:
                out += "v" + short(float(at[1]) - float(last[1]))
            else:
                out += f"{command or ' '}{at[0]} {at[1]}"
            last = at
        elif command:
            out += command
    return out


def attributes(**named):
    """Of an element, without those that are empty."""
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in named.items() if value)


class Plot:
    """The lines and areas in order, each a look and what is drawn so; the texts lie over them."""

    def __init__(self):
        self.drawn = []
        self.texts = {}

    def add(self, look, path):
        """Joins an earlier path of the same look, if only axes (plain) lie between."""
        plain = re.match(' stroke="(gray|black)"', look)
        for earlier in reversed(self.drawn):
            if earlier[0] == look:
                earlier[1] += path
                return
            if not plain or not re.match(' stroke="(gray|black)"', earlier[0]):
                break
        self.drawn.append([look, path])

    def walk(self, element, width="1", text_look="", place=""):
        """Draws an element; what a group says holds for what is in it."""
        tag = element.tag.removeprefix(SVG)
        if tag in ("title", "defs", "desc"):
            return
        if tag == "g":
            width = short(element.get("stroke-width", width))
            if element.get("font-size"):
                size = short(element.get("font-size"))
                anchor = element.get("text-anchor")
                text_look = attributes(font_size="" if size == FONT_PX else size,
                                       text_anchor="" if anchor == "start" else anchor)
                place = element.get("transform")
            for child in element:
                self.walk(child, width, text_look, place)
        elif tag == "path":
            look = attributes(stroke=colour(element.get("stroke")),
                              stroke_width="" if width == "1" else width,
                              stroke_dasharray=element.get("stroke-dasharray"))
            self.add(look, steps(element.get("d")))
        elif tag == "polygon":
            corners = steps("M" + " L".join(element.get("points").split())) + "Z"
            look = attributes(fill=colour(element.get("fill")),
                              fill_opacity=element.get("fill-opacity"),
                              shape_rendering="crispEdges")
            self.add(look, corners)
        elif tag == "use":
            # Marker 6 is a filled circle: the round end of a line without length.
            mark = re.fullmatch(r"translate\((.*),(.*)\) scale\((.*)\)", element.get("transform"))
            if element.get(XLINK + "href") != "#gpPt6" or not mark:
                raise Unknown("a mark that is not a round one (pt 7)")
            look = attributes(stroke=colour(element.get("color")), stroke_linecap="round",
                              stroke_width=short(2 * float(mark[3])))
            self.add(look, f"M{short(mark[1])} {short(mark[2])}h0")
        elif tag == "text":
            self.texts.setdefault(text_look, []).append(text_element(element, place))
        elif tag == "rect":
            x, y, wide, high = (float(element.get(key)) for key in ("x", "y", "width", "height"))
            self.add(attributes(fill=colour(element.get("fill"))),
                     f"M{short(x)} {short(y)}h{short(wide)}v{short(high)}h{short(-wide)}z")
        else:
            raise Unknown(f"<{tag}>")

    def __str__(self):
        paths = [f'<path{look} d="{path}"/>' for look, path in self.drawn]
        texts = [f"<g{look}>\n" + "\n".join(some) + "\n</g>" for look, some in self.texts.items()]
        return "\n".join(['<g fill="none">', *paths, "</g>", *texts])


def text_element(element, place):
    """The text at its place. A part in another size, or lowered, is a tspan."""
    turned = re.fullmatch(r"translate\(([^,]*),([^)]*)\)(.*)", place)
    x, y, turn = short(turned[1]), short(turned[2]), turned[3].strip()
    where = attributes(transform=f"translate({x},{y}) {turn}") if turn else attributes(x=x, y=y)
    words = escape(element.text or "")
    for span in element:
        if span.text:
            size = short(span.get("font-size", FONT_PX))
            look = attributes(font_size="" if size == FONT_PX else size, dy=span.get("dy"))
            inside = escape(span.text)
            words += f"<tspan{look}>{inside}</tspan>" if look else inside
        words += escape(span.tail or "")
    return f"<text{where}>{words.strip()}</text>"


def small(text):
    """The same picture, or None when it is not gnuplot's own."""
    root = xml.fromstring(text)
    description = root.find(SVG + "desc")
    if description is None or not (description.text or "").startswith("Produced by GNUPLOT"):
        return None
    plot = Plot()
    for child in root:
        plot.walk(child)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{root.get("viewBox")}"'
            f' width="{root.get("width")}" height="{root.get("height")}" font-family="sans"'
            f' font-size="{FONT_PX}">\n{plot}\n</svg>\n')


def main(files):
    status = 0
    for file in files:
        with open(file, encoding="utf-8") as plot:
            text = plot.read()
        try:
            text = small(text)
        except Unknown as error:
            print(f"plot.py: {file}: {error} is nothing it knows; left as it is", file=sys.stderr)
            status = 1
            continue
        if text is not None:
            with open(file, "w", encoding="utf-8") as plot:
                plot.write(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
