"""Guessing how a text goes on from how it went on before.

Answers repeat what was asked and what they said themselves: names, quotations, code, lists. Where
the last few tokens occurred earlier in the sequence, what came after them then is a guess that
costs nothing (prompt lookup decoding, Saxena 2023,
https://github.com/apoorvumang/prompt-lookup-decoding).
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from stormproof.engine.scheduling.sequence import Sequence as TokenSequence

_LENGTH: Final = 3
"""Tokens that must have occurred before: fewer hit more often, and are more often wrong."""

_Gram: TypeAlias = tuple[int, ...]


class PromptLookup:
    """Drafts for any number of sequences; a token costs the same however long its sequence is."""

    def __init__(self) -> None:
        self._indexes: dict[int, _Index] = {}

    def draft(self, wanted: Sequence[tuple[TokenSequence, int]]) -> list[list[int]]:
        """Guess what follows.

        Args:
            wanted: Sequences, and how many tokens to guess for each.

        Returns:
            For each at most as many tokens; none where nothing like its end occurred before.
        """
        return [self._index(sequence).guess(count) for sequence, count in wanted]

    def forget(self, sequence: TokenSequence) -> None:
        """Drop what is known of a sequence that has ended."""
        self._indexes.pop(sequence.seq_id, None)

    def _index(self, sequence: TokenSequence) -> "_Index":
        if sequence.seq_id not in self._indexes:
            self._indexes[sequence.seq_id] = _Index(sequence.tokens)
        return self._indexes[sequence.seq_id]


class _Index:
    """Where every run of a few tokens occurred last.

    Args:
        tokens: Those of a sequence, which only ever grow.
    """

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = tokens
        self._after: dict[_Gram, int] = {}
        self._indexed = _LENGTH

    def guess(self, count: int) -> list[int]:
        """Return what came after the last occurrence of the end, or nothing.

        Where that runs into the end itself, the text goes round in a circle, and so does the guess.
        """
        tokens = self._tokens
        for end in range(self._indexed, len(tokens)):
            self._after[tuple(tokens[end - _LENGTH : end])] = end
        self._indexed = max(self._indexed, len(tokens))
        start = self._after.get(tuple(tokens[-_LENGTH:]))
        if start is None:
            return []
        guessed = tokens[start : start + count]
        while len(guessed) < count:
            guessed.append(guessed[len(guessed) - (len(tokens) - start)])
        return guessed
