"""Calls are found in answers however these are cut into pieces."""

from collections.abc import Sequence
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.answers.tool_calls import Arguments, CallBegun, Said, Spoken, ToolCallReader
from stormproof.engine.answers.tool_format import HERMES, LLAMA, MISTRAL, ToolFormat

NAMES = {"weather", "add-2_x"}


def read(form: ToolFormat, pieces: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """The text of an answer, and its calls."""
    reader = ToolCallReader(form, NAMES)
    spoken: list[Spoken] = []
    for text in pieces:
        spoken += reader.push(text)
    spoken += reader.flush()
    begun = [piece for piece in spoken if isinstance(piece, CallBegun)]
    assert [call.index for call in begun] == list(range(reader.calls))
    arguments = [""] * len(begun)
    for piece in spoken:
        if isinstance(piece, Arguments):
            arguments[piece.index] += piece.text
    text = "".join(piece.text for piece in spoken if isinstance(piece, Said))
    return text, list(zip([call.name for call in begun], arguments, strict=True))


TRICKY = '{"city": "a } b \\" { ] \\\\", "n": [1, {"x": null}]}'
CALL = '<tool_call>{"name": "weather", "arguments": {}}'

ANSWERS = [
    (
        HERMES,
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
        "",
        [("weather", '{"city": "Rome"}')],
    ),
    (
        HERMES,
        (
            f'Wait.\n<tool_call>{{"name":"weather","arguments":{TRICKY}}}</tool_call>\n'
            '<tool_call>\n{ "name": "add-2_x", "arguments": {} }\n</tool_call>\n I am done.\n'
        ),
        "Wait.\nI am done.\n",
        [("weather", TRICKY), ("add-2_x", "{}")],
    ),
    (HERMES, "1 < 2, <tool> and <tool_cal", "1 < 2, <tool> and <tool_cal", []),
    (HERMES, '<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>', None, []),
    (HERMES, "<tool_call>{broken}</tool_call>", None, []),
    (
        HERMES,
        (
            '<tool_call>{"name": "weather", "arguments": {}}\n'
            '<tool_call>{"name": "add-2_x", "arguments": {}}</tool_call>'
        ),
        "",
        [("weather", "{}"), ("add-2_x", "{}")],
    ),
    (HERMES, f"{CALL}\nIt is on its way.", "It is on its way.", [("weather", "{}")]),
    (HERMES, f"{CALL}{'It is late. ' * 99}", "It is late. " * 99, [("weather", "{}")]),
    (HERMES, f"{CALL}\nAnd again:\n{CALL}\n</tool_call>", "And again:\n", [("weather", "{}")] * 2),
    (HERMES, f"{CALL}{'.' * 190}{CALL}</tool_call>", "." * 190, [("weather", "{}")] * 2),
    (HERMES, f"{CALL}\n</tool_c", "", [("weather", "{}")]),
    (HERMES, "<tool_call>" + "x" * 500, None, []),
    (HERMES, '<tool_call>\n{"name": "wea', None, []),
    (
        HERMES,
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Ro',
        "",
        [("weather", '{"city": "Ro')],
    ),
    (
        LLAMA,
        '{"name": "weather", "parameters": {"city": "Rome"}}',
        "",
        [("weather", '{"city": "Rome"}')],
    ),
    (
        LLAMA,
        '\n{"name": "weather", "parameters": {}}; {"name": "add-2_x", "parameters": {"a": 1}}',
        "",
        [("weather", "{}"), ("add-2_x", '{"a": 1}')],
    ),
    (LLAMA, '{"name": "weather", "parameters": {} It is late.', "It is late.", [("weather", "{}")]),
    (LLAMA, '{"answer": 42}', None, []),
    (LLAMA, 'See: {"name": "weather", "parameters": {}}', None, []),
    (
        MISTRAL,
        '[{"name": "weather", "arguments": {"city": "]"}}, {"name": "weather", "arguments": {}}]',
        "",
        [("weather", '{"city": "]"}'), ("weather", "{}")],
    ),
    (MISTRAL, "[1] is a footnote", None, []),
    (MISTRAL, ' [{"city": "Rome"}, {"city": "Oslo"}]', None, []),
    (MISTRAL, "Plain.", None, []),
]


@pytest.mark.parametrize(("form", "answer", "text", "calls"), ANSWERS)
def test_calls_and_text_are_told_apart(
    form: ToolFormat, answer: str, text: str | None, calls: list[tuple[str, str]]
) -> None:
    """Whole; None stands for an answer that is nothing but text."""
    assert read(form, [answer]) == (answer if text is None else text, calls)


@given(case=st.sampled_from(ANSWERS), cuts=st.sets(st.integers(1, 1400)))
def test_how_an_answer_is_cut_does_not_matter(
    case: tuple[ToolFormat, str, str | None, list[tuple[str, str]]], cuts: set[int]
) -> None:
    """Tokens end anywhere."""
    form, answer, _, _ = case
    edges = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]
    pieces = [answer[begin:end] for begin, end in pairwise(edges)]
    assert read(form, pieces) == read(form, [answer])


def test_arguments_are_passed_on_as_they_come() -> None:
    """Whoever streams them need not wait for the end of the call."""
    reader = ToolCallReader(HERMES, NAMES)
    reader.push('<tool_call>{"name": "weather", "arguments": ')
    kinds = [type(piece) for letter in '{"city": "R' for piece in reader.push(letter)]
    assert [kind for kind, _ in groupby(kinds)] == [CallBegun, Arguments]
    assert len(kinds) == 12


def test_text_is_passed_on_as_it_comes() -> None:
    """Only what may begin a call is held back."""
    reader = ToolCallReader(HERMES, NAMES)
    assert reader.push("Hello <to") == [Said("Hello ")]
    assert reader.push("m>!") == [Said("<tom>!")]
