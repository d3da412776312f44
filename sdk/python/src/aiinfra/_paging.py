"""How pages follow one another. No I/O."""

from __future__ import annotations

from typing import Any

from ._model import Page

PAGE_SIZE = 100


class Pager:
    """Which page comes next, from what the pages so far were like."""

    def __init__(self) -> None:
        self.number = 1
        self._seen = 0

    def turn(self, page: Page[Any]) -> bool:
        """Whether there may be another page after this one, which `number` then names.

        A server that tells neither the page nor how many there are gives everything at once.
        """
        number, total = page._place
        self._seen += len(page)
        if not page or self._seen >= total or number != self.number:
            return False
        self.number += 1
        return True
