"""Keeping secrets out of everything an error shows.

Text that other software wrote (an exception's message, a URL, a header) may hold a key or a
password. Whatever an error prints passes through here first.
"""

import re
from typing import Final

REDACTED: Final = "[redacted]"

_LONGEST_TEXT: Final = 4096

_SECRET: Final = re.compile(
    r"""
      (?P<before>://)[^\s/@:]*:[^\s/@]*(?=@)                  # https://user:password@host
    | (?P<scheme>\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{8,}
    | (?P<key>\b(?:[\w-]*(?:api[_-]?key|secret|password|passwd|token|authorization))
        ["']?\s*[=:]\s*["']?)(?!bearer\b|basic\b)[^\s"'&,;}\]]{3,}
    | \b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}                        # OpenAI, Anthropic, Stripe
    | \b(?:gh[pousr]|github_pat|hf|gsk|xox[abprs])[_-][A-Za-z0-9_-]{8,}
    | \bAIza[A-Za-z0-9_-]{20,}                                # Google
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                           # AWS
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*  # JSON web token
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----[\s\S]*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE | re.IGNORECASE,
)


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
    return _SECRET.sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    kept = found["before"] or found["scheme"] or found["key"] or ""
    return kept + REDACTED
