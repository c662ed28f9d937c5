"""Which lines of a file of prompts are answered already."""

from array import array
from collections.abc import Iterable, Iterator

from stormproof.cli.answer_line import Mark
from stormproof.cli.prompt_lines import PromptLine
from stormproof.errors import Conflict


class Answered:
    """What a file of answers holds: eight bytes of memory for a line."""

    def __init__(self) -> None:
        self.count = self.failed = 0
        self._digests = array("Q")

    def add(self, mark: Mark) -> None:
        """Take a line of the file into account.

        Raises:
            Conflict: The same line of the input was answered before.
        """
        missing = mark.number - len(self._digests)
        if missing > 0:
            self._digests.frombytes(bytes(8 * missing))
        if self._digests[mark.number - 1]:
            raise Conflict(reason=f"the output answers line {mark.number} twice")
        self._digests[mark.number - 1] = mark.digest
        self.count += 1
        self.failed += mark.failed

    def missing(self, lines: Iterable[PromptLine]) -> Iterator[PromptLine]:
        """Yield the lines that are not answered.

        Raises:
            Conflict: The answers are to another input, or were made with other options.
        """
        seen = 0
        for line in lines:
            if self._has(line):
                seen += 1
            else:
                yield line
        if seen != self.count:
            raise Conflict(
                reason="the output answers lines that the input lacks; give another --out"
            )

    def _has(self, line: PromptLine) -> bool:
        known = self._digests[line.number - 1] if line.number <= len(self._digests) else 0
        if known and known != line.digest:
            raise Conflict(
                reason=f"the output answers another line {line.number},"
                " or was made with another model or other options;"
                " give those again, or another --out"
            )
        return bool(known)
