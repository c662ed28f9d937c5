"""The index finds what is known, and nothing that only looks like it."""

from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.scheduling.prefix_index import PrefixIndex, packed

A, B, C = packed([1, 2]), packed([3, 4]), packed([5, 6])


def test_a_beginning_is_found_as_far_as_it_is_known() -> None:
    index = PrefixIndex()
    index.add(7, A, after=None)
    index.add(8, B, after=7)
    assert index.find([A, B, C]) == [7, 8]
    assert index.find([A, C, B]) == [7]
    assert index.find([B, A]) == []


def test_the_same_tokens_behind_others_are_something_else() -> None:
    index = PrefixIndex()
    index.add(0, A, after=None)
    index.add(1, B, after=None)
    index.add(2, C, after=0)
    assert index.find([B, C]) == [1]
    assert index.add(3, C, after=1) == 3
    assert index.find([A, C]) == [0, 2]
    assert index.find([B, C]) == [1, 3]


def test_what_is_known_already_keeps_its_block() -> None:
    index = PrefixIndex()
    index.add(0, A, after=None)
    assert index.add(1, A, after=None) == 0
    assert 1 not in index


def test_a_block_that_holds_something_new_does_not_stand_in_for_the_old() -> None:
    """The tokens behind it are still known, but they were computed behind other tokens."""
    index = PrefixIndex()
    index.add(0, A, after=None)
    index.add(1, C, after=0)
    index.forget(0)
    index.add(0, B, after=None)
    assert index.find([B, C]) == [0]
    index.forget(0)
    index.add(0, A, after=None)
    assert index.find([A, C]) == [0]


def test_behind_what_is_forgotten_nothing_becomes_known() -> None:
    index = PrefixIndex()
    index.add(0, A, after=None)
    index.forget(0)
    assert index.add(1, B, after=0) == 1
    assert 1 not in index


@given(
    prompts=st.lists(st.lists(st.sampled_from([0, 1, 2**31, 2**40]), max_size=8), max_size=8),
    asked=st.lists(st.sampled_from([0, 1, 2**31, 2**40]), max_size=8),
)
def test_it_finds_the_longest_beginning_that_any_prompt_had(
    prompts: list[list[int]], asked: list[int]
) -> None:
    index, known, block = PrefixIndex(), dict[int, list[int]](), 0
    for prompt in prompts:
        before = None
        for place in range(0, len(prompt) - 1, 2):
            before = index.add(block, packed(prompt[place : place + 2]), after=before)
            known.setdefault(before, prompt[: place + 2])
            block += 1
    pieces = [packed(asked[place : place + 2]) for place in range(0, len(asked) - 1, 2)]
    found = index.find(pieces)
    lengths = range(2, 2 * len(pieces) + 1, 2)
    longest = max((size for size in lengths if asked[:size] in known.values()), default=0)
    assert [known[one] for one in found] == [asked[:size] for size in range(2, longest + 1, 2)]
