"""Dotted numbers that are no addresses: versions, chapters, headings."""

import re
from typing import Final

from stormproof.reflex.pii.context import words_above

_OF_VERSIONS: Final = frozenset(
    {"v", "v.", "ver", "ver.", "rev", "rev.", "revision", "version", "versions", "release"}
    | {"releases", "firmware", "build", "builds", "versionen", "versiones", "versión", "versione"}
    | {"versão", "versie", "versjon", "wersja", "wersji", "версия", "версии", "версию"}
)
_OF_PARTS: Final = frozenset(
    {"§", "chapter", "chapters", "chap.", "section", "sections", "sec", "sec.", "subsection"}
    | {"clause", "clauses", "paragraph", "paragraphs", "para", "para.", "article", "articles"}
    | {"art.", "appendix", "annex", "table", "tables", "figure", "figures", "fig.", "equation"}
    | {"eq.", "item", "items", "step", "steps", "rule", "rules", "requirement", "requirements"}
    | {"req.", "control", "controls", "no.", "ec", "oid", "identifier", "exercise", "theorem"}
    | {"kapitel", "kap.", "abschnitt", "abschnitte", "abschnitten", "absatz", "abs.", "ziffer"}
    | {"punkt", "artikel", "anhang", "tabelle", "abbildung", "abb.", "nr.", "chapitre"}
    | {"chapitres", "paragraphe", "annexe", "tableau", "alinéa", "capítulo", "cap.", "sección"}
    | {"apartado", "artículo", "párrafo", "cláusula", "tabla", "capitolo", "sezione", "articolo"}
    | {"paragrafo", "tabella", "seção", "secção", "artigo", "parágrafo", "tabela", "hoofdstuk"}
    | {"paragraaf", "avsnitt", "rozdział", "rozdziale", "глава", "главе", "главы", "раздел"}
    | {"раздела", "разделе", "пункт", "пункта", "пункте", "статья", "статье", "гл.", "п.", "ст."}
)
_ENDS_OF_VERSIONS: Final = ("版本", "バージョン", "버전", "第", "/", "=")
_BEHIND_PARTS: Final = frozenset("版章节節条條款項项장절조항")

_WORD: Final = r"(?:[A-Z]|(?<![^\W\d_A-Z]))[^\W\d_A-Z]++\.?|(?<![A-Z])[A-Z]++\.?"
"""Of names that are written together, the last: ``appVersion``."""

_AND: Final = ("and", "or", "to", "und", "bis", "et", "ou", "y", "e", "и")
_LIST: Final = rf"(?:(\d{{1,4}})(?:\.\d{{1,4}}){{1,5}}(?:[,;-] ?| - | (?:{'|'.join(_AND)}) ))*"
_SIGNS: Final = " \t:=\"'#(\\-"
_BEFORE: Final = re.compile(
    rf"({_WORD}|§|\w/|[<>~]=)(?!==\Z)[{re.escape(_SIGNS)}]*{_LIST}\Z"
    r"|(?<=\w)(?<![iI][pP])(?<![aA]ddr)(?<![hH]ost)(?<!src)(?<!dst)[=!]=\Z"
)
"""What tells of a number; and, if that goes on with a list, how the one before it begins."""

_MAY_TELL: Final = re.compile(r"[^\W\d_]|[§=]")
_DIGITS: Final = frozenset("0123456789")
_ENDS_OF_ITEMS: Final = _DIGITS | {",", ";"}
_FARTHEST: Final = 48
_INDENT: Final = 8
_BULLETS: Final = " \t#*|"
_BEGINNING: Final = re.compile("[\n>]")
_TITLE: Final = re.compile(r"\.?[ \t]{1,4}([^\W\d_])")
_PART: Final = "(?:[1-4]?[1-9]|[1-5]0)"
_PARTS: Final = re.compile(rf"{_PART}(?:\.{_PART})*")
"""Of chapters: books have so many; networks have a zero somewhere, or more."""

_PRIVATE: Final = "10."


def is_numbering(text: str, start: int, end: int) -> bool:
    """Return whether a dotted number in a text is one of a version, a chapter or a heading."""
    words = (_word_before(text, start), *words_above(text, start))
    if not _OF_VERSIONS.isdisjoint(words):
        return True
    return _PARTS.fullmatch(text, start, end) is not None and (
        text[end : end + 1] in _BEHIND_PARTS
        or not _OF_PARTS.isdisjoint(words)
        or _is_heading(text, start, end)
    )


def _word_before(text: str, start: int) -> str:
    """Return the word that tells what a number is, or the list that it goes on; none is empty."""
    first = max(0, start - _FARTHEST)
    line = max(first, text.rfind("\n", first, start) + 1)
    before = text[line:start]
    if before.rstrip(" \t")[-1:] in _DIGITS or not _MAY_TELL.search(before):
        return ""  # nothing tells of a number that only stands behind another one
    told = _BEFORE.search(text, _beginning_of_word(text, line, start), start)
    if not told or (told[2] and not text.startswith(f"{told[2]}.", start)):
        return ""
    word = (told[1] or "=").lower()
    return "version" if word.endswith(_ENDS_OF_VERSIONS) else word


def _beginning_of_word(text: str, line: int, start: int) -> int:
    """Return where the word, or the list, may begin that stands before a number in a line."""
    before = text[line:start].rstrip(_SIGNS)
    word = before[before.rfind(" ") + 1 :]
    goes_on = word in _AND or before[-1:] in _ENDS_OF_ITEMS
    return line if goes_on else line + len(before) - len(word)


def _is_heading(text: str, start: int, end: int) -> bool:
    """Return whether a number begins a line, or an element, that goes on with a title."""
    title = _TITLE.match(text, end)
    if not title or not title[1].isupper():
        return False
    before = _BEGINNING.split(text[max(0, start - _INDENT) : start])[-1]
    return not before.strip(_BULLETS) and ("#" in before or not text.startswith(_PRIVATE, start))
