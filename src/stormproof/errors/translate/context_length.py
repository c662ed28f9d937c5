"""Reading the numbers out of "your prompt is too long", as providers phrase it."""

import re
from typing import Final

from stormproof.errors.client_errors import ContextTooLong

_NUMBER: Final = r"(\d{1,12})"

_OPENAI_LIMIT: Final = re.compile(rf"maximum context length is {_NUMBER} tokens")
_OPENAI_PARTS: Final = re.compile(
    rf"{_NUMBER} in (?:the|your) \w+[,;]? (?:and )?{_NUMBER} (?:in|for) the completion"
)
_OPENAI_TOTAL: Final = re.compile(
    rf"(?:requested|resulted in|has) (?:about )?{_NUMBER} (?:input )?tokens"
)
_ANTHROPIC_PROMPT: Final = re.compile(rf"prompt is too long: {_NUMBER} tokens > {_NUMBER} maximum")
_ANTHROPIC_SUM: Final = re.compile(rf"exceed context limit: {_NUMBER} \+ {_NUMBER} > {_NUMBER}")


def context_too_long(said: str | None) -> ContextTooLong | None:
    """Return the error when a message says, with its numbers, that the context is too short.

    Args:
        said: What the provider said; OpenAI's and Anthropic's phrasings are known, and with them
            those of the many servers that copy OpenAI's.
    """
    return _openai(said) or _anthropic(said) if said else None


def _openai(said: str) -> ContextTooLong | None:
    limit, parts, total = (
        pattern.search(said) for pattern in (_OPENAI_LIMIT, _OPENAI_PARTS, _OPENAI_TOTAL)
    )
    if not limit or not (parts or total):
        return None
    prompt, new = parts.groups() if parts else (total[1] if total else "0", "0")
    return ContextTooLong(prompt_tokens=int(prompt), max_tokens=int(new), limit=int(limit[1]))


def _anthropic(said: str) -> ContextTooLong | None:
    if found := _ANTHROPIC_PROMPT.search(said):
        return ContextTooLong(prompt_tokens=int(found[1]), max_tokens=0, limit=int(found[2]))
    if found := _ANTHROPIC_SUM.search(said):
        prompt, new, limit = map(int, found.groups())
        return ContextTooLong(prompt_tokens=prompt, max_tokens=new, limit=limit)
    return None
