"""Requests that nobody should send, made up from a seed."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from support.serving import MODEL

CHAT: Final = "/v1/chat/completions"
PLAIN: Final = "/v1/completions"
MESSAGES: Final = "/v1/messages"
RESPONSES: Final = "/v1/responses"

_LONG: Final = "a" * 10_240
_DEEP: Final[Any] = json.loads("[" * 150 + "]" * 150)
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**30, 0.5, -0.0, 1e308, 1e-320,
    "", " ", "\x00", "\ud800", "\N{PILE OF POO}" * 50, "<|im_end|>" * 20, _LONG, "NaN", "null",
    [], [None], [[]], [1] * 300, ["x"] * 300, [_LONG] * 3, {}, {"": ""}, {"type": "text"},
    {"type": "function", "function": {"name": "f"}}, {str(n): n for n in range(1500)}, _DEEP,
)  # fmt: skip
_FIELDS: Final = (
    "model", "messages", "prompt", "temperature", "top_p", "top_k", "min_p", "presence_penalty",
    "frequency_penalty", "logit_bias", "seed", "stop", "max_tokens", "max_completion_tokens",
    "ignore_eos", "n", "stream", "stream_options", "logprobs", "top_logprobs", "response_format",
    "structured_outputs", "tools", "tool_choice", "parallel_tool_calls", "echo", "user", "metadata",
    "store", "function_call", "__proto__", "model_config",
)  # fmt: skip
_OTHER_FIELDS: Final = (
    "system", "stop_sequences", "thinking", "output_config", "betas", "input", "instructions",
    "max_output_tokens", "text", "reasoning", "previous_response_id", "background",
)  # fmt: skip
_REGEXES: Final = (
    "(((", "(?=a)b", "(" * 5000 + ")" * 5000, "((a{0,1000}){0,1000}b){0,1000}", "(a|b)*a(a|b){300}",
    "[", "\\", "a{99999999999}", "(?P<x>a)(?P<x>b)", ".*" * 400, "\\p{Nonsense}", "$^", "a\x00b",
)  # fmt: skip
_RULES: Final = (
    "", "{}", "start:", "start: start", "start: missing", 'start: "a"? ' + '"a"? ' * 2000,
    'start: a\na: a a a | "x" | ""', 'start: %json {"multipleOf": 999983}', "start: %json {",
    "start: <[0]> <[999999999]>", "start: " + "(" * 3000, "start: A\nA: /.*a.{200}/ & /.*b.{200}/",
    "\n".join(["start: A0", *(f"A{n}: A{n + 1} A{n + 1}" for n in range(25)), 'A25: "x"']),
    "\n".join(["start: a0", *(f"a{n}: a{n + 1}" for n in range(3000)), 'a3000: "x"']),
)  # fmt: skip
_SCHEMAS: Final[tuple[Any, ...]] = (
    {"$ref": "#"}, {"$ref": "#/nowhere"}, {"$ref": "file:///etc/passwd"}, {"type": "person"},
    {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"multipleOf": 999_983}, {"multipleOf": 1e-300},
    {"minimum": 2, "maximum": 1, "type": "integer"}, {"pattern": "(((", "type": "string"},
    {"minLength": 10**12, "type": "string"}, {"minItems": 10**12, "type": "array"},
    {"enum": []}, {"not": {}}, {"oneOf": [{}, {}]}, {"items": _DEEP}, {"const": _DEEP},
    {"type": "object", "properties": {f"p{n}": {} for n in range(2000)}},
    {"allOf": [{"anyOf": [{"minLength": n}, {"maxLength": n}]} for n in range(30)]},
    {"x-guidance": {"lenient": True, "whitespace_pattern": "((("}, "if": {}},
    {"enum": ["x" * 50 + str(n) for n in range(1000)]}, {"type": ["null"], "default": _LONG},
)  # fmt: skip


@dataclass(frozen=True)
class HostileRequest:
    """What is sent, byte by byte."""

    path: str
    body: bytes
    content_type: str = "application/json"
    request_id: str = "the-same"
    method: str = "POST"


def hostile_requests(count: int, seed: int) -> Iterator[HostileRequest]:
    """Make requests up: most of them wrong in one place, some right and unusual."""
    choices = random.Random(seed)
    makers: list[Callable[[random.Random], HostileRequest]] = [
        *[_wrong_field] * 24, *[_two_wrong_fields] * 8, *[_wrong_message] * 10, *[_wrong_tool] * 8,
        *[_wrong_place] * 3, *[_wrong_bytes] * 8, *[_long_stop] * 3, *[_odd_grammar] * 1,
        *[_wrong_dialect] * 12,
    ]  # fmt: skip
    for _ in range(count):
        yield choices.choice(makers)(choices)


def _valid(path: str) -> dict[str, Any]:
    said = {"messages": [{"role": "user", "content": "Hi"}]} if path == CHAT else {"prompt": "Hi"}
    return {"model": MODEL, "max_tokens": 3, **said}


def _sent(path: str, body: Any) -> HostileRequest:
    return HostileRequest(path, json.dumps(body).encode())


def _wrong_field(choices: random.Random) -> HostileRequest:
    path = choices.choice([CHAT, PLAIN])
    return _sent(path, _valid(path) | {choices.choice(_FIELDS): choices.choice(_VALUES)})


def _two_wrong_fields(choices: random.Random) -> HostileRequest:
    path = choices.choice([CHAT, PLAIN])
    wrong = {field: choices.choice(_VALUES) for field in choices.sample(_FIELDS, 2)}
    return _sent(path, _valid(path) | wrong)


def _wrong_message(choices: random.Random) -> HostileRequest:
    fields = ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio"]
    role = choices.choice(["system", "developer", "user", "assistant", "tool", "root"])
    message = {"role": role, "content": "x", choices.choice(fields): choices.choice(_VALUES)}
    call = {"id": "same", "type": "function", "function": {"name": "f", "arguments": "{{"}}
    called = {"role": "assistant", "tool_calls": [call] * choices.randrange(3)}
    answered = {"role": "tool", "tool_call_id": "same", "content": "<|im_end|>"}
    messages = choices.choices([message, called, answered], k=choices.randrange(1, 5))
    return _sent(CHAT, _valid(CHAT) | {"messages": messages})


def _wrong_tool(choices: random.Random) -> HostileRequest:
    parameters = choices.choice([{}, None, {"type": "array"}, {"type": "object"}])
    if choices.random() < 0.05:
        parameters = choices.choice(_SCHEMAS)
    function = {"name": choices.choice(["f", "g", "", "a b", _LONG]), "parameters": parameters}
    tool: dict[str, Any] = {"type": choices.choice(["function"] * 5 + ["browser"])}
    tool["function"] = function | choices.choice([{}, {}, {"strict": choices.choice(_VALUES)}])
    named = {"type": "function", "function": {"name": choices.choice(["f", "h"])}}
    return _sent(
        CHAT,
        _valid(CHAT)
        | {"tools": [tool] * choices.choice([0, 1, 1, 1, 2, 200])}
        | {"tool_choice": choices.choice(["none", "auto", "required", named, *_VALUES[:4]])},
    )


def _wrong_place(choices: random.Random) -> HostileRequest:
    path = choices.choice(["/", "/v1", "/v1/chat", "/v1/models/" + "x" * 500, "/v1/%00", "//v1/a"])
    method = choices.choice(["GET", "PUT", "DELETE", "POST", "PATCH", "OPTIONS", "HEAD", "BREW"])
    return HostileRequest(choices.choice([path, CHAT]), b"{}", method=method)


def _wrong_bytes(choices: random.Random) -> HostileRequest:
    whole = json.dumps(_valid(CHAT)).encode()
    body = choices.choice([
        b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"\xef\xbb\xbf" + whole, whole * 2,
        whole[: choices.randrange(len(whole))], choices.randbytes(200), b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000, whole.replace(b"3", b"1" * 5000),
        whole.replace(b"3", b"NaN"), whole.replace(b"3", b"-Infinity"), b" " * 100_000 + whole,
        whole[:-1] + b', "max_tokens": 2}', b'{"model": "' + b"x" * 300_000 + b'"}',
    ])  # fmt: skip
    kinds = ["application/json"] * 5 + ["text/plain", "", "multipart/form-data", "application/x"]
    ids = ["the-same", "", "x" * 5000, "a b", "\xe4"]
    return HostileRequest(CHAT, body, choices.choice(kinds), choices.choice(ids))


def _wrong_dialect(choices: random.Random) -> HostileRequest:
    """Fields, parts and items of other APIs."""
    value = choices.choice(_VALUES)
    kinds = ["text", "image", "tool_use", "tool_result", "thinking", "input_text", "function_call"]
    kind = choices.choice([*kinds, "function_call_output", "message", "reasoning", "root"])
    names = ["text", "source", "id", "name", "input", "call_id", "arguments", "output", "content"]
    part = {"type": kind, "role": "user", choices.choice(names): value, "name": "f"}
    said = {"role": choices.choice(["user", "assistant", "system"]), "content": [part]}
    field = choices.choice([*_FIELDS, *_OTHER_FIELDS])
    asked: dict[str, Any]
    if choices.random() < 0.5:
        asked = {"messages": choices.choice([[said], [{**said, "content": "Hi"}]]), "max_tokens": 3}
        return _sent(MESSAGES, {"model": MODEL, **asked, field: value})
    asked = {"input": choices.choice([[said], [part], "Hi"]), "max_output_tokens": 3}
    return _sent(RESPONSES, {"model": MODEL, **asked, field: value})


def _long_stop(choices: random.Random) -> HostileRequest:
    path = choices.choice([CHAT, PLAIN])
    length = choices.choice([1, 256, 257, 10_240])
    stop = ["".join(choices.choices("ab", k=length)) for _ in range(choices.choice([1, 16, 17]))]
    return _sent(path, _valid(path) | {"stop": stop})


def _odd_grammar(choices: random.Random) -> HostileRequest:
    path = choices.choice([CHAT, PLAIN])
    asked: list[dict[str, Any]] = [
        {"structured_outputs": {"regex": choices.choice(_REGEXES)}},
        {"structured_outputs": {"grammar": choices.choice(_RULES)}},
        {"structured_outputs": {"json": choices.choice(_SCHEMAS)}},
        {
            "structured_outputs": {
                "choice": choices.choice([[], [""], ["x" * 2000], ['"\\\n\ud800']])
            }
        },
    ]
    if path == CHAT:
        schema = {"name": "x", "schema": choices.choice(_SCHEMAS)}
        asked.append({"response_format": {"type": "json_schema", "json_schema": schema}})
    return _sent(path, _valid(path) | choices.choice(asked))
