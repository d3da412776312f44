"""Checks the links of the built book: `python3 docs/links.py DIRECTORY`. Pages, files and anchors must be there; other servers are not asked."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.twice: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                (self.twice if value in self.anchors else self.anchors).add(value)
            elif name in ("href", "src") and value:
                self.links.add(value)


def main() -> int:
    """Looks at every link of every page."""
    book = Path(sys.argv[1]).resolve()
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in book.rglob("*.html")}
    broken = []
    for file, page in pages.items():
        # Links of the page for what is missing, and those of all pages printed as one, are the same as elsewhere.
        if file.name in ("404.html", "print.html", "toc.html"):
            continue
        broken += [f"{file.relative_to(book)}: the anchor {anchor} is there twice" for anchor in sorted(page.twice)]
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists():
                broken.append(f"{file.relative_to(book)}: {link}: there is no such page")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{file.relative_to(book)}: {link}: there is no such anchor")
    print("\n".join(broken), end="\n" if broken else "")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
