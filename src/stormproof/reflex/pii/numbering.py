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

_DIGITS: Final = "0123456789"
_OF_LISTS: Final = f"{_SIGNS}{_DIGITS}.,;"
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
    word = _word_before(text, start)
    if word in _OF_VERSIONS:
        return True
    may_be_part = _PARTS.fullmatch(text, start, end) is not None
    if may_be_part and word in _OF_PARTS:
        return True
    head = words_above(text, start)
    return not _OF_VERSIONS.isdisjoint(head) or (
        may_be_part
        and (
            text[end : end + 1] in _BEHIND_PARTS
            or not _OF_PARTS.isdisjoint(head)
            or _is_heading(text, start, end)
        )
    )


def _word_before(text: str, start: int) -> str:
    """Return the word that tells what a number is, or the list that it goes on; none is empty."""
    first = max(0, start - _FARTHEST)
    line = max(first, text.rfind("\n", first, start) + 1)
    before = text[line:start]
    if before.rstrip(" \t")[-1:] in _DIGITS:
        return ""  # nothing tells of a number that stands first, or only behind another one
    word = _plain_word(before)
    if not word:
        told = _BEFORE.search(text, line + _beginning_of_word(before), start)
        if not told or (told[2] and not text.startswith(f"{told[2]}.", start)):
            return ""
        word = told[1] or "="
    return "version" if word.endswith(_ENDS_OF_VERSIONS) else word.lower()


def _plain_word(before: str) -> str:
    """Return the last word, as prose has them behind others; empty if it takes an expression."""
    space = before.rfind(" ", 0, -1)
    word = before[space + 1 : -1]
    is_plain = space >= 0 and before[-1] == " " and word[1:].islower() and word.isalpha()
    return word if is_plain and word not in _AND else ""


def _beginning_of_word(before: str) -> int:
    """Return where the word may begin that stands before a number, or before its list."""
    left = before.rstrip(_OF_LISTS)
    while (word := left[left.rfind(" ") + 1 :]) in _AND:
        left = left[: -len(word)].rstrip(_OF_LISTS)
    return len(left) - len(word)


def _is_heading(text: str, start: int, end: int) -> bool:
    """Return whether a number begins a line, or an element, that goes on with a title."""
    title = _TITLE.match(text, end)
    if not title or not title[1].isupper():
        return False
    before = _BEGINNING.split(text[max(0, start - _INDENT) : start])[-1]
    return not before.strip(_BULLETS) and ("#" in before or not text.startswith(_PRIVATE, start))
