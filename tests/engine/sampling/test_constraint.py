"""Grammars: masks that let only matching answers through, and limits on what they may cost."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.sampling.constraint import Grammars, Matcher
from stormproof.engine.sampling.grammar import MAX_GRAMMAR_LENGTH, Grammar, GrammarKind
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import InvalidRequest, ValidationErrors

PERSON: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def grammars(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer, eos_ids=tokenizer.eos_ids, vocab_size=tokenizer.vocab_size)


def allowed_tokens(mask: bytes) -> list[int]:
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")
    return [int(token) for token in np.flatnonzero(bits)]


def babble(matcher: Matcher, seed: int) -> Iterator[int]:
    """Tokens drawn blindly from the masks, which is worse than any model."""
    choices = random.Random(seed)
    while not matcher.finished:
        token = choices.choice(allowed_tokens(matcher.allowed()))
        matcher.advance(token)
        yield token


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_drawn_from_the_masks_matches_the_schema(
    grammars: Grammars, tokenizer: Tokenizer, seed: int
) -> None:
    """Blind choices end by themselves, in a document that is valid."""
    matcher = grammars.matcher(Grammar.json_schema(PERSON))
    person = json.loads(tokenizer.decode(babble(matcher, seed)))
    assert set(person) >= {"name", "age"}
    assert len(person["name"]) <= 8
    assert 0 <= person["age"] <= 150
    assert set(person.get("tags", [])) <= {"a", "b"}


@given(seed=st.integers(0, 2**32))
def test_whatever_is_drawn_from_the_masks_matches_the_pattern(
    grammars: Grammars, tokenizer: Tokenizer, seed: int
) -> None:
    """As a whole, from its beginning to its end."""
    pattern = r"(yes|no), [0-9]{1,3}(\.[0-9]+)?€"
    matcher = grammars.matcher(Grammar.regex(pattern))
    assert re.fullmatch(pattern, tokenizer.decode(babble(matcher, seed)))


def test_rules_may_refer_to_each_other(grammars: Grammars, tokenizer: Tokenizer) -> None:
    """Lark is for what no regular expression can say."""
    matcher = grammars.matcher(Grammar.lark('start: "(" start ")" | "x"'))
    for token in tokenizer.encode("((x))", special=False):
        assert token in allowed_tokens(matcher.allowed())
        matcher.advance(token)
    assert matcher.finished


def test_the_answer_may_end_only_where_the_grammar_is_satisfied(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """And what ends it are the tokens that end every answer."""
    matcher = grammars.matcher(Grammar.regex("ab*"))
    [a] = tokenizer.encode("a", special=False)
    assert not tokenizer.eos_ids & {*allowed_tokens(matcher.allowed())}
    matcher.advance(a)
    assert tokenizer.eos_ids <= {*allowed_tokens(matcher.allowed())}
    assert not matcher.finished
    matcher.advance(min(tokenizer.eos_ids))
    assert matcher.finished


@pytest.mark.parametrize(
    "begun", ['{"name": "Bo', '{\n  "name":"B",\n  "ag', '{"name":"B","age":1}']
)
@pytest.mark.parametrize("seed", range(5))
def test_an_answer_that_was_begun_matches_as_a_whole(
    grammars: Grammars, tokenizer: Tokenizer, begun: str, seed: int
) -> None:
    """However whoever began it lays JSON out."""
    tokens = tokenizer.encode(begun, special=False)
    matcher = grammars.matcher(Grammar.json_schema(PERSON), tokens)
    person = json.loads(begun + tokenizer.decode(babble(matcher, seed)))
    assert set(person) >= {"name", "age"}


def test_what_is_no_beginning_is_no_part_of_it(grammars: Grammars, tokenizer: Tokenizer) -> None:
    matcher = grammars.matcher(Grammar.regex("ab*"), tokenizer.encode("Well: ", special=False))
    [a] = tokenizer.encode("a", special=False)
    assert a in allowed_tokens(matcher.allowed())


def test_a_token_that_is_not_allowed_is_refused(grammars: Grammars, tokenizer: Tokenizer) -> None:
    """A continued answer that does not fit its grammar is an error, not a crash."""
    matcher = grammars.matcher(Grammar.regex("ab*"))
    [x] = tokenizer.encode("x", special=False)
    with pytest.raises(InvalidRequest):
        matcher.advance(x)


def test_masks_along_drafted_tokens_are_those_of_advancing(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """Looking ahead changes nothing."""
    drafted = tokenizer.encode('{"name": "Bob", "age": 7', special=False)
    ahead = grammars.matcher(Grammar.json_schema(PERSON))
    step_by_step = grammars.matcher(Grammar.json_schema(PERSON))
    wanted = [step_by_step.allowed()]
    for token in drafted:
        step_by_step.advance(token)
        wanted.append(step_by_step.allowed())
    assert ahead.allowed_along(drafted) == wanted
    assert ahead.allowed_along([]) == wanted[:1]


def test_masks_end_where_a_drafted_token_cannot_stand(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """Neither one that is not allowed, nor any after the end."""
    [a, b] = (tokenizer.encode(letter, special=False)[0] for letter in "ab")
    end = min(tokenizer.eos_ids)
    matcher = grammars.matcher(Grammar.regex("ab*"))
    assert len(matcher.allowed_along([b, a])) == 1
    assert len(matcher.allowed_along([a, b, a, b])) == 3
    assert len(matcher.allowed_along([a, end, b])) == 2
    assert a in allowed_tokens(matcher.allowed())


def test_a_drafted_token_that_leads_too_far_ends_the_draft_and_not_the_answer(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """It may be wrong; only one that is chosen can be held against the request."""
    [x, y, z] = (tokenizer.encode(letter, special=False)[0] for letter in "xyz")
    thousand_options = '"a"? ' * 1000
    matcher = grammars.matcher(Grammar.lark(f'start: "yz" | "x" {thousand_options}'))
    assert len(matcher.allowed_along([x, x])) == 1
    matcher.advance(y)
    assert z in allowed_tokens(matcher.allowed())


def test_answers_with_one_grammar_do_not_share_their_place(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """It is compiled once, and followed by each on its own."""
    [a] = tokenizer.encode("a", special=False)
    first, second = (grammars.matcher(Grammar.regex("ab*")) for _ in range(2))
    first.advance(a)
    assert not second.finished
    assert a in allowed_tokens(second.allowed())


@pytest.mark.parametrize("vocab_size", [40_000, 50_000])
def test_masks_have_the_size_of_the_models_vocabulary(
    tokenizer: Tokenizer, vocab_size: int
) -> None:
    """Models often have more rows than their tokenizer has tokens; those mean nothing."""
    grammars = Grammars(tokenizer, eos_ids=tokenizer.eos_ids, vocab_size=vocab_size)
    mask = grammars.matcher(Grammar.regex("(?s:.*)")).allowed()
    assert len(mask) == 4 * -(-vocab_size // 32)
    assert max(allowed_tokens(mask)) < min(vocab_size, tokenizer.vocab_size)


def test_without_a_token_that_ends_answers_there_are_no_grammars(tokenizer: Tokenizer) -> None:
    """They could not end."""
    grammars = Grammars(tokenizer, eos_ids=(), vocab_size=tokenizer.vocab_size)
    with pytest.raises(InvalidRequest, match="ends"):
        grammars.matcher(Grammar.regex("a"))


def _schema(value: Any) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, json.dumps(value))


def _nested(depth: int) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, '{"items":' * depth + "{}" + "}" * depth)


def _doubling(count: int) -> Grammar:
    rules = [f"A{n}: A{n + 1} A{n + 1}" for n in range(count)]
    return Grammar.lark("\n".join(["start: A0", *rules, f'A{count}: "x"']))


HOPELESS: Final = {
    "no regex": Grammar.regex("((("),
    "half a surrogate pair": Grammar.regex("\ud800"),
    "half a pair in a schema": Grammar.json_schema({"const": "\ud800"}),
    "look-around": Grammar.regex("(?=a)b"),
    "no rule": Grammar.lark("start: missing"),
    "no Lark": Grammar.lark("{}"),
    "not JSON": Grammar(GrammarKind.JSON_SCHEMA, "{"),
    "NaN": Grammar(GrammarKind.JSON_SCHEMA, '{"minimum": NaN}'),
    "a key twice": Grammar(GrammarKind.JSON_SCHEMA, '{"multipleOf": 1, "multipleOf": 2}'),
    "a list": _schema([]),
    "true": _schema(True),
    "no such type": _schema({"type": "person"}),
    "an unsupported keyword": _schema({"not": {}}),
    "contradictory": _schema({"type": "integer", "minimum": 2, "maximum": 1}),
    "itself and nothing else": _schema({"$ref": "#"}),
    "somebody else's file": _schema({"$ref": "file:///etc/passwd"}),
    "somebody else's server": _schema({"$ref": "http://localhost:1/schema"}),
    "deep": _nested(500),
    "very deep": _nested(6000),
    "deep parentheses": Grammar.regex("(" * 30_000 + ")" * 30_000),
    "many remainders": _schema({"multipleOf": 999_983}),
    "fine remainders": _schema({"multipleOf": 0.0999983}),
    "remainders together": _schema({"allOf": [{"multipleOf": n} for n in range(900, 1000)]}),
    "remainders here and there": Grammar.lark(
        "start: " + " ".join('%json {"multipleOf": 997}' for _ in range(20))
    ),
    "patterns that all must match": _schema(
        {"allOf": [{"type": "string", "pattern": f"a.{{{n}}}b"} for n in range(60)]}
    ),
    "patterns that refer to patterns": _schema(
        {
            "$ref": "#/$defs/p0",
            "$defs": {
                f"p{n}": {"$ref": f"#/$defs/p{n + 1}", "pattern": f"a.{{{n}}}b"} for n in range(40)
            },
        }
    ),
    "rules that all must match": Grammar.lark(
        "start: A\nA: " + " & ".join(f"/.*a.{{{n}}}b.*/" for n in range(60))
    ),
    "remainders in rules": Grammar.lark('start: %json {"multipleOf": 999983}'),
    "a remainder beyond all": Grammar.lark('start: %json {"multipleOf": 1e9999999}'),
    "a number beyond all": Grammar.lark('start: %json {"minimum": 1e99999999999999999999999}'),
    "doubled 25 times": _doubling(25),
    "too many choices": _schema(
        {"allOf": [{"anyOf": [{"minLength": n}, {"maxLength": n}]} for n in range(40)]}
    ),
    "thousands of optional properties": _schema(
        {"type": "object", "properties": {f"p{n}": {} for n in range(3000)}}
    ),
}


@pytest.mark.parametrize("grammar", HOPELESS.values(), ids=HOPELESS)
def test_a_grammar_that_cannot_be_used_is_refused(grammars: Grammars, grammar: Grammar) -> None:
    """With a reason, without taking the process along."""
    with pytest.raises(InvalidRequest) as caught:
        grammars.matcher(grammar).allowed()
    assert caught.value.param == "grammar"
    assert len(caught.value.reason) < 400


EXPENSIVE: Final = {
    "a long chain of rules": Grammar.lark(
        "\n".join(["start: a0", *(f"a{n}: a{n + 1}" for n in range(4000)), 'a4000: "x"'])
    ),
    "a long chain of references": _schema(
        {
            "$ref": "#/$defs/0",
            "$defs": {
                **{str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(1500)},
                "1500": {"type": "null"},
            },
        }
    ),
    "a wide automaton": Grammar.regex("(a|b)*a(a|b){300}"),
    "two wide automata": Grammar.lark("start: A\nA: /.*a.{200}/ & /.*b.{200}/"),
    "an ambiguous grammar": Grammar.lark('start: a\na: a a a | "x" | ""'),
    "thousands of options": Grammar.lark("start: " + '"a"? ' * 3000),
    "doubled 12 times": _doubling(12),
    "a long literal": Grammar.lark('start: "' + "a" * 60_000 + '"'),
    "repeated": Grammar.regex("((a{0,1000}){0,1000}b){0,1000}"),
    "10,000 words": Grammar.regex("|".join(f"w{n}" for n in range(9000))),
}


@pytest.mark.parametrize("grammar", EXPENSIVE.values(), ids=EXPENSIVE)
def test_a_grammar_that_explodes_ends_in_a_typed_error_or_works(
    grammars: Grammars, grammar: Grammar
) -> None:
    """Never in a crash or a hang."""
    with suppress(InvalidRequest):
        list(islice(babble(grammars.matcher(grammar), seed=7), 30))


def test_a_schema_as_large_as_programs_have_them_is_no_explosion(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    """Hundreds of optional properties are ordinary."""
    properties = {f"p{n}": {"type": "string"} for n in range(400)}
    matcher = grammars.matcher(_schema({"type": "object", "properties": properties}))
    for token in tokenizer.encode('{"p0": "x", "p399": "y"}', special=False):
        assert token in allowed_tokens(matcher.allowed())
        matcher.advance(token)


def test_the_grammars_used_last_are_kept(tokenizer: Tokenizer) -> None:
    """One that was used a moment ago costs nothing; a stream of others cannot fill the memory."""
    grammars = Grammars(tokenizer, eos_ids=tokenizer.eos_ids, vocab_size=tokenizer.vocab_size)
    for n in range(200):
        grammars.matcher(Grammar.regex(f"a{{{n}}}b"))
    assert len(grammars) == 32


@pytest.mark.parametrize("text", ["", "x" * (MAX_GRAMMAR_LENGTH + 1)])
def test_the_length_of_a_grammar_is_limited(text: str) -> None:
    """Before anything looks at it."""
    with pytest.raises(ValidationErrors):
        Grammar.regex(text)
