"""Whatever is wrong with a good file, its line is told: the one that was spoilt."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stormproof.errors import ConfigurationError
from stormproof.providers.settings.schema import ModelsFile

Read = Callable[[str], ModelsFile]

GOOD = """\
# Who answers.

[serve]
port = 9000

[providers.openai]
key_env = "OUR_KEY"
headers = { x-a = "b" }

[providers."our.house"]
preset = "openai-compatible"
url = "http://10.0.0.5:8000/v1"
requests_per_minute = 9
prefill = true

[models."the chat"]
deadline = 30.0
order = "weighted"
stream = "fail"

[[models."the chat".rungs]]
provider = "openai"
model = "gpt-5-mini"
weight = 3
capabilities = [
  "tools",
]
price = { input = 0.25, output = 2 }

[[models."the chat".rungs]]
provider = "groq"
model = "llama"
context = 4096

[[models."the chat".rungs]]
cached = true
max_age = 60.0

[[models."the chat".rungs]]
answer = "Sorry."

[embeddings.vectors]
deadline = 5.0

[[embeddings.vectors.rungs]]
provider = "openai"
model = "small"
batch = 7

[redis]
url = "redis://localhost"
"""
LINES = GOOD.split("\n")
SERVE = range(2, 4)
PLAIN = [
    number
    for number, line in enumerate(LINES)
    if re.match(r"\w+ = (?!\[$)", line) and number not in SERVE
]
"""Lines that hold a whole value."""

HEADS = [number for number, line in enumerate(LINES) if line.startswith("[")]
VALUES = st.sampled_from(
    [
        "{}",
        "[]",
        '""',
        "-1",
        "0",
        "nan",
        "true",
        "1979-05-27",
        '"\\u0000"',
        '"nobody"',
        "[{}]",
        "9e99",
    ]
)
JUNK = st.sampled_from(["#", "", "  # ] [x]", '# """'])

fast = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def faults(read: Read, lines: list[str]) -> list[tuple[int, str]]:
    """The lines, from 1, that a file is refused for, each with the key; none if it is fine."""
    try:
        read("\n".join(lines))
    except ConfigurationError as error:
        return [told(line) for line in error.reason.split("\n")]
    return []


def told(line: str) -> tuple[int, str]:
    found = re.match(r"stormproof\.toml:(\d+): .*\((.*)\)$", line)
    assert found, line
    return int(found[1]), found[2]


def test_the_file_is_good(read: Read) -> None:
    assert faults(read, LINES) == []


@fast
@given(st.sampled_from(PLAIN), VALUES, st.sampled_from(HEADS), JUNK)
def test_a_value_that_is_wrong_is_told_by_its_line(
    read: Read, line: int, value: str, head: int, junk: str
) -> None:
    """And by its key, wherever comments stand."""
    spoilt = [*LINES]
    key = spoilt[line].partition(" = ")[0]
    spoilt[line] = f"{key} = {value}"
    spoilt.insert(head, junk)
    for number, path in faults(read, spoilt):
        assert spoilt[number - 1] == f"{key} = {value}"
        assert key in path


@fast
@given(st.sampled_from(HEADS), st.sampled_from(["dedline", "zzz", "api_key", "rung"]))
def test_a_key_that_nobody_knows_is_told_by_its_line(read: Read, head: int, key: str) -> None:
    if head in SERVE:
        return
    spoilt = [*LINES[: head + 1], f"{key} = 1", *LINES[head + 1 :]]
    [(number, path)] = faults(read, spoilt)
    assert (number, path.rpartition(".")[2]) == (head + 2, key)


@fast
@given(st.sampled_from(PLAIN))
def test_what_is_missing_is_told_by_the_table_that_lacks_it(read: Read, line: int) -> None:
    """Or by what then no longer makes sense."""
    spoilt = [*LINES[:line], *LINES[line + 1 :]]
    head = max(number for number in HEADS if number < line)
    for number, _ in faults(read, spoilt):
        assert number == head + 1


@pytest.mark.parametrize("head", [head for head in HEADS if "[[" not in LINES[head]])
def test_a_table_that_is_there_twice_is_told_by_its_second_line(read: Read, head: int) -> None:
    spoilt = [*LINES, "[last]", LINES[head]]
    with pytest.raises(ConfigurationError) as caught:
        read("\n".join(spoilt))
    assert caught.value.reason.startswith(f"stormproof.toml:{len(spoilt)}: this is not TOML")
