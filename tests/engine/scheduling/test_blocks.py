"""The block allocator knows the owners of every block, and what can still be found in it."""

from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stormproof.engine.scheduling.blocks import BlockAllocator
from stormproof.engine.scheduling.prefix_index import packed
from stormproof.errors import InvalidStateTransition, OutOfBlocks

TOTAL = 12

Tokens: TypeAlias = tuple[int, ...]
"""One number stands for the tokens of a block."""


class AllocatorAgainstModel(RuleBasedStateMachine):
    """Random lives of sequences, against lists of who owns what, what it holds and what is free."""

    def __init__(self) -> None:
        super().__init__()
        self.allocator = BlockAllocator(TOTAL)
        self.owned: list[list[int]] = []
        self.free: list[int] = list(range(TOTAL))
        self.known: dict[Tokens, int] = {}

    @rule(count=st.integers(0, TOTAL + 2))
    def allocate(self, count: int) -> None:
        if count > len(self.free):
            with pytest.raises(OutOfBlocks) as caught:
                self.allocator.allocate(count)
            assert (caught.value.needed, caught.value.free) == (count, len(self.free))
        else:
            self.owned.append(self.take(count))

    def take(self, count: int) -> list[int]:
        expected, self.free = self.free[:count], self.free[count:]
        self.known = {key: block for key, block in self.known.items() if block not in expected}
        assert self.allocator.allocate(count) == expected
        return expected

    @rule(tokens=st.lists(st.integers(0, 1), max_size=5).map(tuple))
    def read(self, tokens: Tokens) -> None:
        """A whole sequence: find its beginning, take blocks for the rest, and fill them."""
        sizes = range(1, len(tokens) + 1)
        beginnings = [tokens[:size] for size in sizes]
        missing = [place for place, key in enumerate(beginnings) if key not in self.known]
        hits = [self.known[key] for key in beginnings[: min(missing, default=len(tokens))]]
        assert self.allocator.find([packed([token]) for token in tokens]) == hits
        lacking = len(tokens) - len(hits)
        if len(set(self.free) - set(hits)) < lacking:
            return
        self.allocator.share(hits)
        self.free = [block for block in self.free if block not in hits]
        blocks = hits + self.take(lacking)
        self.owned.append(blocks)
        for place in range(len(hits), len(tokens)):
            self.fill(blocks, place, beginnings[place])

    def fill(self, blocks: list[int], place: int, key: Tokens) -> None:
        before = blocks[place - 1] if place else None
        assert self.allocator.fill(blocks[place], packed(key[-1:]), after=before) == blocks[place]
        self.known[key] = blocks[place]

    @precondition(lambda self: self.owned)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        blocks = self.owned.pop(data.draw(st.integers(0, len(self.owned) - 1)))
        self.allocator.release(blocks)
        for block in reversed(blocks):
            if not self.owners(block):
                self.free.insert(len(self.free) if block in self.known.values() else 0, block)

    @precondition(lambda self: any(self.owned))
    @rule(data=st.data())
    def release_twice(self, data: st.DataObject) -> None:
        blocks = data.draw(st.sampled_from([owned for owned in self.owned if owned]))
        with pytest.raises(InvalidStateTransition):
            self.allocator.release([*blocks, blocks[0]])

    def owners(self, block: int) -> int:
        return sum(block in blocks for blocks in self.owned)

    @invariant()
    def every_block_is_counted(self) -> None:
        assert [self.allocator.owners(block) for block in range(TOTAL)] == [
            self.owners(block) for block in range(TOTAL)
        ]
        assert self.allocator.free == len(self.free)
        assert self.allocator.total == TOTAL
        assert {block for block in range(TOTAL) if not self.owners(block)} == set(self.free)

    @invariant()
    def all_that_is_known_can_be_found(self) -> None:
        assert all(key[:-1] in self.known for key in self.known if len(key) > 1)


TestAllocatorAgainstModel = AllocatorAgainstModel.TestCase
TestAllocatorAgainstModel.settings = settings(max_examples=100, deadline=None)


def test_a_block_that_is_free_cannot_be_released() -> None:
    allocator = BlockAllocator(2)
    blocks = allocator.allocate(1)
    allocator.release(blocks)
    with pytest.raises(InvalidStateTransition):
        allocator.release(blocks)
    assert allocator.free == 2


@pytest.mark.parametrize("block", [-1, 2])
def test_a_block_that_does_not_exist_cannot_be_released(block: int) -> None:
    allocator = BlockAllocator(2)
    allocator.allocate(2)
    with pytest.raises(InvalidStateTransition):
        allocator.release([block])


def filled(allocator: BlockAllocator, *tokens: int) -> list[int]:
    """Blocks that hold a sequence, one token each."""
    blocks = allocator.allocate(len(tokens))
    for place, token in enumerate(tokens):
        before = blocks[place - 1] if place else None
        blocks[place] = allocator.fill(blocks[place], packed([token]), after=before)
    return blocks


def test_what_was_computed_twice_is_kept_once() -> None:
    allocator = BlockAllocator(4)
    first, second = allocator.allocate(2), allocator.allocate(2)
    for place in range(2):
        for blocks in (first, second):
            before = blocks[place - 1] if place else None
            blocks[place] = allocator.fill(blocks[place], packed([place]), after=before)
    assert first == second
    assert [allocator.owners(block) for block in first] == [2, 2]
    assert allocator.free == 2


def test_of_what_is_found_the_least_recently_used_is_taken_and_its_end_first() -> None:
    allocator = BlockAllocator(5)
    old, new = filled(allocator, 1, 2), filled(allocator, 3, 4)
    allocator.release(old)
    allocator.release(new)
    allocator.share(old)
    allocator.release(old)
    unknown = allocator.allocate(1)
    assert allocator.allocate(4) == [*reversed(new), *reversed(old)]
    assert not {*unknown} & {*old, *new}


def test_forgotten_blocks_are_taken_first_and_never_found() -> None:
    allocator = BlockAllocator(3)
    good, bad = filled(allocator, 1), filled(allocator, 2)
    allocator.forget(bad)
    allocator.release(good)
    allocator.release(bad)
    assert allocator.find([packed([1])]) == good
    assert allocator.find([packed([2])]) == []
    assert allocator.allocate(1) == bad


def test_an_allocator_that_does_not_share_finds_nothing() -> None:
    allocator = BlockAllocator(2, share=False)
    allocator.release(filled(allocator, 1, 2))
    assert allocator.find([packed([1]), packed([2])]) == []
