"""Texts are looked through: what was seen before is known, and what takes long stops nobody."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from stormproof.reflex.pii.finder import Finder, merged
from stormproof.reflex.pii.finding import Finding
from stormproof.reflex.seen import Seen

LONG: Final = 65_536
"""Characters, after which others have waited for some milliseconds."""

_REMEMBERED_FROM: Final = 256
"""Characters: shorter texts are looked through as fast as they are recognised."""

_MOST_TEXTS: Final = 8192
_MOST_TOGETHER: Final = 256
_MOST_FINDINGS: Final = 64
"""Of what is remembered."""


class Search:
    """Looks through the texts of requests.

    A conversation is sent again with every request, so it is remembered what a text was found to
    hold: kinds and places, under a keyed digest of it. Neither tells anything of the text.

    Args:
        detector: Finds things by their form, in microseconds.
        names: Finds names, in milliseconds, in a thread; None if they are not looked for.
    """

    def __init__(self, detector: Finder, names: Finder | None = None) -> None:
        self._detector = detector
        self._names = names
        self._remembered_from = 1 if names else _REMEMBERED_FROM
        self._seen: Final = Seen[Sequence[Finding]](_MOST_TEXTS)
        self._seen_together: Final = Seen[Sequence[Sequence[Finding]]](_MOST_TOGETHER)
        self._thread: Final = ThreadPoolExecutor(1, "stormproof-pii")

    async def through(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        """Return what is in each of some texts."""
        if not self._names and sum(map(len, texts)) < _REMEMBERED_FROM:
            return self._look(texts)
        marks: list[bytes] = []
        known: list[Sequence[Finding] | None] = []
        new: list[str] = []
        for text in texts:
            mark = self._seen.mark(text) if len(text) >= self._remembered_from else b""
            found = self._seen.recall(mark) if mark else None
            if found is None:
                new.append(text)
            marks.append(mark)
            known.append(found)
        fresh = iter(await self._found(new))
        return [
            self._kept(mark, next(fresh)) if found is None else found
            for mark, found in zip(marks, known, strict=True)
        ]

    async def together(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        """Return the same of texts that come again together, such as definitions of tools."""
        if not texts:
            return ()
        mark = self._seen_together.mark_all(texts)
        found = self._seen_together.recall(mark)
        if found is None:
            found = await self.through(texts)
            if sum(map(len, found)) <= _MOST_FINDINGS:
                self._seen_together.keep(mark, found)
        return found

    async def _found(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        if texts and (self._names or sum(map(len, texts)) > LONG):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._look, texts)
        return self._look(texts)

    def _look(self, texts: Sequence[str]) -> Sequence[Sequence[Finding]]:
        found = [self._detector.find(text) for text in texts]
        names = self._names
        if not names:
            return found
        return [merged(one, names.find(text)) for one, text in zip(found, texts, strict=True)]

    def _kept(self, mark: bytes, found: Sequence[Finding]) -> Sequence[Finding]:
        if mark and len(found) <= _MOST_FINDINGS:
            self._seen.keep(mark, found)
        return found
