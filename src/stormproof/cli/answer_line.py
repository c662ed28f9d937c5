"""The lines of a file of answers."""

import json
from dataclasses import dataclass
from typing import Any, Final

from stormproof.cli.prompt_lines import MAX_LINES, PromptLine
from stormproof.engine import Output
from stormproof.errors import StormproofError, to_wire

START: Final = b'{"line":'
"""How every line begins, so that a torn one is known."""


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """One line of output.

    Attributes:
        line: The line of the input that it answers.
        document: What is written.
    """

    line: PromptLine
    document: dict[str, Any]

    @classmethod
    def of_output(cls, line: PromptLine, name: str | int, output: Output) -> "AnswerLine":
        """Return the line of an answer that ended well."""
        prompt, completion = output.prompt_tokens, output.completion_tokens
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        answer = {"text": output.text, "finish_reason": output.finish_reason, "usage": usage}
        return cls(line, {"id": name, **answer})

    @classmethod
    def of_error(cls, line: PromptLine, name: str | int, error: StormproofError) -> "AnswerLine":
        """Return the line that says why there is no answer."""
        return cls(line, {"id": name, **to_wire(error)})

    @property
    def failed(self) -> bool:
        """Whether it is an error."""
        return "error" in self.document

    @property
    def tokens(self) -> int:
        """How many tokens were generated."""
        return int(self.document["usage"]["completion_tokens"]) if not self.failed else 0

    def encode(self) -> bytes:
        """Return the line as it is written, with its end."""
        head = {"line": self.line.number, "digest": f"{self.line.digest:016x}"}
        text = json.dumps({**head, **self.document}, ensure_ascii=False)
        return text.encode("utf-8", "replace") + b"\n"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a line that was written before says of the line it answers."""

    number: int
    digest: int
    failed: bool

    @classmethod
    def parse(cls, text: bytes) -> "Mark":
        """Read a written line.

        Raises:
            ValueError: It is not one.
        """
        try:
            document = json.loads(text)
            number, digest = document["line"], int(document["digest"], 16)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ValueError("no line of a file of answers") from error
        if type(number) is not int or not 1 <= number <= MAX_LINES or not 0 < digest < 1 << 64:
            raise ValueError("no line of a file of answers")
        return cls(number, digest, "error" in document)
