"""The block allocator hands every block to one owner at a time."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stormproof.engine.blocks import BlockAllocator
from stormproof.errors import InvalidStateTransition, OutOfBlocks

TOTAL = 12


class AllocatorAgainstModel(RuleBasedStateMachine):
    """Random allocations and releases, against a list of who owns what."""

    def __init__(self) -> None:
        super().__init__()
        self.allocator = BlockAllocator(TOTAL)
        self.owned: list[list[int]] = []

    @rule(count=st.integers(0, TOTAL + 2))
    def allocate(self, count: int) -> None:
        free = TOTAL - sum(map(len, self.owned))
        if count > free:
            with pytest.raises(OutOfBlocks) as caught:
                self.allocator.allocate(count)
            assert (caught.value.needed, caught.value.free) == (count, free)
        else:
            blocks = self.allocator.allocate(count)
            assert len(blocks) == count
            self.owned.append(blocks)

    @precondition(lambda self: self.owned)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.owned) - 1))
        self.allocator.release(self.owned.pop(index))

    @precondition(lambda self: any(self.owned))
    @rule(data=st.data())
    def release_twice(self, data: st.DataObject) -> None:
        blocks = data.draw(st.sampled_from([owned for owned in self.owned if owned]))
        with pytest.raises(InvalidStateTransition):
            self.allocator.release([*blocks, blocks[0]])

    @invariant()
    def every_block_has_one_owner(self) -> None:
        owned = [block for blocks in self.owned for block in blocks]
        assert len(set(owned)) == len(owned)
        assert set(owned) <= set(range(TOTAL))
        assert self.allocator.free == TOTAL - len(owned)


TestAllocatorAgainstModel = AllocatorAgainstModel.TestCase
TestAllocatorAgainstModel.settings = settings(max_examples=60, deadline=None)


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
