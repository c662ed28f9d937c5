"""Renders a conversation the way a model was trained to read it.

The template language is Jinja with the additions that Hugging Face's `apply_chat_template` makes,
since the templates inside checkpoints are written for it. They are code from a stranger's file, so
they run in Jinja's sandbox.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from stormproof.engine.answers.tool_format import ToolFormat, format_of
from stormproof.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2.parser import Parser

MAX_REASON: Final = 300

CHATML: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The template of a model that brings none."""


class ChatTemplate:
    """A chat template.

    Args:
        source: The template; ChatML when there is none.
        names: Texts of special tokens by the name that templates use, such as ``bos_token``.
        now: What time it is, for templates that tell the model the date.
    """

    def __init__(
        self,
        source: str | None,
        names: Mapping[str, str],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source = CHATML if source is None else source
        self._names = dict(names)
        self._now = now

    @cached_property
    def tool_format(self) -> ToolFormat | None:
        """How the template tells a model of tools; None if it does not, or in no way we know."""
        return format_of(self._source)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """The text of a conversation, up to where the assistant is to speak.

        Args:
            messages: What was said.
            tools: Functions that the assistant may call, as OpenAI's API describes them.

        Raises:
            PromptError: The template refuses the messages, lacks something in them, or is broken.
        """
        try:
            return self._template.render(
                {
                    **self._names,
                    "messages": messages,
                    "tools": tools or None,
                    "add_generation_prompt": True,
                }
            )
        except _Refused as error:
            raise PromptError(reason=str(error)[:MAX_REASON]) from error
        except Exception as error:
            # A template is a program: on messages it did not expect it fails in any way.
            reason = "the model's chat template cannot render these messages"
            raise PromptError(reason=reason) from error

    @cached_property
    def _template(self) -> Template:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: self._now().strftime(form)
        return environment.from_string(self._source)


class _Refused(TemplateError):
    """The template itself says that it cannot render the messages."""


class _Generation(Extension):
    """``{% generation %}`` marks what the assistant said, for training; here it is transparent."""

    tags = {"generation"}  # noqa: RUF012  (as jinja2 declares it)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(reason: str) -> NoReturn:
    raise _Refused(reason)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes for HTML, which is not what models are trained on.
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
