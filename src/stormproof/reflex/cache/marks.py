"""What has to be equal in two questions that are to have one answer, however alike they are.

Embeddings place "Is it safe?" beside "Is it not safe?", and a bill of 100 beside one of 200: that
is the known weakness of semantic caches. What they cannot tell apart is told apart here by its
words: numbers, negations and opposites, whatever is quoted, names, signs, words that are not in
Latin letters, and the language. All that in its order, so that nobody is compared the wrong way
round. It errs towards asking the model.
"""

import re
import tomllib
from importlib.resources import files
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<quoted> "[^"]+" | “[^“”]+” | „[^„“”]+[“”] | «[^«»]+» | `[^`]+` | (?<!\w)'[^']+'(?!\w) )
    | (?P<number> \d+ (?: [.,:]\d+ )* )
    | (?P<word> [^\W\d_]+ (?: ['\u2019][^\W\d_]+ )* )
    | (?P<end> [.!?…]+ | \n )
    | (?P<sign> (?<=\d)\s*[-\u2013/]\s*(?=\d) | [^\s\w.,;:!?…"'“”„«»()\u2019/\u2013-] | _ )
    """,
    re.VERBOSE,
)
"""In time that grows with the text alone: no quotation reaches over the beginning of another."""

_LATIN: Final = re.compile(r"[A-Za-zÀ-ɏ'\u2019]+")

_WORDS: Final = tomllib.loads(files(__package__).joinpath("marks.toml").read_text("utf-8"))
_OPENINGS: Final = frozenset(_WORDS["openings"].split())
_POINTS: Final = frozenset(_WORDS["points"].split())
_TURNS: Final = frozenset(
    word for kind in ("negations", "opposites", "numbers", "days") for word in _WORDS[kind].split()
)
_LANGUAGES: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split()) for language, words in _WORDS["languages"].items()
}


def marks(text: str) -> tuple[str, ...]:
    """Return what must be equal of a text: its language, then what the module says, in order."""
    found: list[str] = []
    said: list[str] = []
    opens, points = True, False
    for token in _TOKEN.finditer(text):
        kind, piece = token.lastgroup, token.group().strip()
        if kind == "end":
            opens = True
        elif kind != "word":
            found.append(piece[1:-1] if kind == "quoted" else piece)
        else:
            word = piece.lower().replace("\u2019", "'")
            said.append(word)
            if points or _is_mark(piece, word, opens=opens):
                found.append(word)
            opens, points = False, word in _POINTS
    return _language(said), *found


def _is_mark(piece: str, word: str, *, opens: bool) -> bool:
    """Whether a word must be equal: it turns the meaning, or is a name, or is in no Latin letters.

    Args:
        piece: The word as it is written.
        word: The same in lower case.
        opens: Whether a sentence begins with it.
    """
    if word in _TURNS or word.endswith("n't") or not _LATIN.fullmatch(piece):
        return True
    capital = not piece.islower() and word.partition("'")[0] != "i"
    return capital and not (opens and word in _OPENINGS)


def _language(words: list[str]) -> str:
    """Return the language that most of the small words are of; nothing if none is."""
    counts = {
        language: sum(word in small for word in words) for language, small in _LANGUAGES.items()
    }
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else ""
