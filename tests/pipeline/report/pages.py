"""What is on a page."""

import html.parser
import re

_VOID = {"meta", "br", "hr", "img", "input", "link", "path", "use", "rect", "circle", "line"}


class Page(html.parser.HTMLParser):
    """Reads a page; fails on tags that are not closed in order.

    Attributes:
        text: all that a reader sees, also in closed details; white space as one space, minus signs as hyphens.
        tags: names of all tags.
        attributes: (name, value) of all attributes.
    """

    def __init__(self, source):
        super().__init__()
        self._open, self._parts, self.tags, self.attributes = [], [], set(), []
        self.feed(source)
        self.close()
        assert not self._open
        self.text = re.sub(r"\s+", " ", "".join(self._parts)).replace("\N{MINUS SIGN}", "-")

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self._parts.append(data)
            if not self._open or self._open[-1] not in ("b", "code"):
                self._parts.append(" ")
