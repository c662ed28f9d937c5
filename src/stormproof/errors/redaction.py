"""Keeping secrets out of everything an error shows.

Text that other software wrote (an exception's message, a URL, a header) may hold a key or a
password. Whatever an error prints passes through here first.
"""

import re
from functools import cache
from typing import Final

REDACTED: Final = "[redacted]"

_LONGEST_TEXT: Final = 4096

# Every repetition is bounded or runs over what no other part begins with, so that no text makes the
# search slow. A word after "token" or "basic" counts as a secret when it has a digit: "token limit"
# is English.
_SHAPES: Final = r"""
      (?P<before>://)[^\s/@:]*:[^\s/@]*(?=@)                 # https://user:password@host
    | (?P<scheme>\bbearer\s+)[\w.~+/=-]{8,}
    | (?P<weak>(?:\bbasic|token)[\\"'\s=:]{1,12})(?=[^\s\d=]{0,99}[\d=])[\w.~+/=-]{8,}
    | (?P<key>(?:api[_-]?key|access[_-]?key|private[_-]?key|secret|passw(?:or)?d|passphrase
        |[_-]token|authorization|signature|cookie)[\\"']{0,4}\s{0,4}[=:]\s{0,4}[\\"']{0,4})
        (?!bearer\b|basic\b|\[redacted\])[^\s"'&,;}\]\\]{3,}
    | \b(?:sk|pk|rk)-[\w-]{8,}                              # OpenAI, Anthropic, Stripe
    | \bsp-[\w-]{32,}                                       # our own
    | \b(?:gh[pousr]|github_pat|hf|gsk|xox[abprs])[_-][\w-]{8,}
    | \bAIza[\w-]{20,}                                      # Google
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                         # AWS
    | \beyJ[\w-]{8,2000}\.[\w-]+\.[\w-]*                   # JSON web token
    | -----BEGIN[ A-Z]{0,40}PRIVATE\ KEY-----[\s\S]*?(?:-----END[ A-Z]{0,40}PRIVATE\ KEY-----|\Z)
    """

_SIGNS: Final = (
    *("://", "bearer", "basic", "token", "key", "secret", "pass", "authorization", "signature"),
    *(
        "cookie",
        "sk-",
        "pk-",
        "rk-",
        "sp-",
        "gh",
        "github_pat",
        "hf",
        "gsk",
        "xox",
        "aiza",
        "akia",
        "asia",
        "eyj",
    ),
)
"""One of these, in whichever case, is in every secret: where there is none, nobody need search."""


@cache
def _secret() -> re.Pattern[str]:
    return re.compile(_SHAPES, re.VERBOSE | re.IGNORECASE)  # 2 ms, when the first error is shown


def redact(text: str) -> str:
    """Return ``text`` with every secret of a known shape blanked out, at most 4096 characters.

    Args:
        text: Any text; the part beyond 4096 characters is dropped *before* the search, so the
            cost is bounded whatever a peer sends.

    Returns:
        The text, with user information in URLs, authorization values, ``key=value`` pairs whose
        name says secret, and the key shapes of well-known providers replaced by ``[redacted]``.
    """
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    if not any(map(text.casefold().__contains__, _SIGNS)):
        return text
    return _secret().sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    kept = found["before"] or found["scheme"] or found["weak"] or found["key"] or ""
    return kept + REDACTED
