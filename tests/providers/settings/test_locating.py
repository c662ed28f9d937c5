"""Whatever a TOML file looks like, the line of a place in it is found."""

from collections.abc import Iterator
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from stormproof.providers.settings.locating import line_of

TEXT = '''\
# Models
[serve]
port = 1

[models.chat]
deadline = 3
note = """
two lines"""
rungs = [
  { provider = "a", model = "]" }, # {
  { provider = "b", price = { input = 1, output = 2 } },
]

[providers."a.b"]
url = "x"

[models.other]
order = "listed"
[[models.other.rungs]]
provider = "a"
[[models.other.rungs]]
provider = "b"
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (["serve", "port"], 3),
        (["models", "chat"], 5),
        (["models", "chat", "deadline"], 6),
        (["models", "chat", "note"], 7),
        (["models", "chat", "rungs"], 9),
        (["models", "chat", "rungs", 0], 10),
        (["models", "chat", "rungs", 0, "model"], 10),
        (["models", "chat", "rungs", 1, "price", "output"], 11),
        (["providers", "a.b", "url"], 15),
        (["models", "other", "order"], 18),
        (["models", "other", "rungs", 1], 21),
        (["models", "other", "rungs", 1, "provider"], 22),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_value_and_table_has_its_line(place: list[str | int], line: int, end: str) -> None:
    assert line_of(TEXT.replace("\n", end), place) == line


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (["models", "chat", "rungs", 0, "weight"], 10),
        (["models", "chat", "rungs", 9], 9),
        (["models", "chat", "deadline", "x"], 6),
    ],
)
def test_what_is_not_there_is_missing_in_what_surrounds_it(
    place: list[str | int], line: int
) -> None:
    assert line_of(TEXT, place) == line


@pytest.mark.parametrize("place", [["models", "other"], ["models", "other", "rung"]])
def test_a_table_in_pieces_is_where_its_first_key_is(place: list[str | int]) -> None:
    assert line_of(TEXT, place) in {17, 18}


@pytest.mark.parametrize(("text", "place"), [("", ["a"]), ("= 1", ["a"]), ("a = 1", [])])
def test_what_has_no_line_gets_none(text: str, place: list[str | int]) -> None:
    assert line_of(text, place) is None


KEYS = st.text("ab.'#= ", max_size=3)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        st.just(0),
        lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def numbered(tree: Any, numbers: Iterator[int]) -> Any:
    """The same tree with a number of its own in each leaf."""
    if isinstance(tree, dict):
        return {key: numbered(value, numbers) for key, value in tree.items()}
    return [numbered(value, numbers) for value in tree] if isinstance(tree, list) else next(numbers)


def leaves(tree: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, int]]:
    if isinstance(tree, int):
        yield place, tree
    else:
        inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in inner:
            yield from leaves(value, (*place, key))


@given(TREES)
def test_every_leaf_of_any_document_is_found(tree: Any) -> None:
    document = numbered(tree, iter(range(1000, 2000)))
    text = tomlkit.dumps(document)
    for place, number in leaves(document):
        line = line_of(text, place)
        assert line is not None
        assert str(number) in text.split("\n")[line - 1]
