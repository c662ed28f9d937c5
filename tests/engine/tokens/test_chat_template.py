"""A chat template renders as it does for `transformers`, and fails as the caller's mistake."""

from datetime import UTC, datetime
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from stormproof.engine.tokens.chat_template import MAX_REASON, ChatTemplate
from stormproof.errors import PromptError

MESSAGES = [
    {"role": "user", "content": "  Why is <b>1 & 2</b> 'so'? "},
    {"role": "assistant", "content": "Because é."},
    {"role": "user", "content": "Oh"},
]
TEMPLATES = {
    "blocks": (
        "{%- for message in messages %}\n    {% if loop.first %}\nfirst\n    {% endif %}\n"
        "{{ message['role'] }}: {{ message.content | trim }}\n{% endfor %}\n"
    ),
    "json": "{{ messages | tojson }} {{ messages[0] | tojson(indent=2) }}",
    "generation": (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content }}{% endgeneration %}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    ),
    "loop-controls": (
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}x{% endfor %}"
    ),
    "prompt": "{% if add_generation_prompt %}<assistant>{% endif %}",
    "namespace": (
        "{% set ns = namespace(n=0) %}"
        "{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}"
    ),
}


@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_it_renders_as_transformers_does(source: str) -> None:
    rendered: Any = render_jinja_template(
        [MESSAGES], chat_template=source, add_generation_prompt=True
    )
    assert ChatTemplate(source, {}).render(MESSAGES) == rendered[0][0]


def test_a_model_without_a_template_reads_chatml() -> None:
    rendered = ChatTemplate(None, {}).render([{"role": "user", "content": "Hi"}])
    assert rendered == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_special_tokens_and_the_date_are_there() -> None:
    template = ChatTemplate(
        "{{ bos_token }}{{ strftime_now('%d %b %Y') }}",
        {"bos_token": "<s>"},
        now=lambda: datetime(2024, 2, 29, tzinfo=UTC),
    )
    assert template.render(MESSAGES) == "<s>29 Feb 2024"


def test_what_a_template_refuses_is_told_in_its_words() -> None:
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(PromptError, match="roles must alternate"):
        template.render(MESSAGES)


def test_the_words_of_a_refusal_are_bounded() -> None:
    template = ChatTemplate("{{ raise_exception('x' * 10000) }}", {})
    with pytest.raises(PromptError) as caught:
        template.render(MESSAGES)
    assert len(caught.value.reason) == MAX_REASON


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}",
        "{{ messages[0].content.missing.attribute }}",
        "{{ 1 / 0 }}",
        "{{ messages[0]['content'] + 1 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
    ],
    ids=["syntax", "undefined", "arithmetic", "type", "escape", "mutation", "file"],
)
def test_a_template_that_breaks_is_a_prompt_error_that_tells_nothing(source: str) -> None:
    with pytest.raises(PromptError) as caught:
        ChatTemplate(source, {}).render(MESSAGES)
    assert caught.value.reason == "the model's chat template cannot render these messages"
