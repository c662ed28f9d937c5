"""A sequence changes its state in one place, along known steps."""

import pytest

from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import Sequence, SequenceState
from stormproof.errors import InvalidStateTransition

WAITING, RUNNING, PREEMPTED, FINISHED = SequenceState
ALLOWED = {
    (WAITING, RUNNING),
    (WAITING, FINISHED),
    (RUNNING, PREEMPTED),
    (RUNNING, FINISHED),
    (PREEMPTED, RUNNING),
    (PREEMPTED, FINISHED),
}


@pytest.mark.parametrize("before", SequenceState)
@pytest.mark.parametrize("after", SequenceState)
def test_only_the_drawn_transitions_exist(before: SequenceState, after: SequenceState) -> None:
    sequence = Sequence(0, [1], SamplingParams(), state=before)
    if (before, after) in ALLOWED:
        sequence.transition(after)
        assert sequence.state is after
    else:
        with pytest.raises(InvalidStateTransition) as caught:
            sequence.transition(after)
        assert (caught.value.from_state, caught.value.to_state) == (before, after)
        assert sequence.state is before


def test_it_tells_prompt_and_generated_tokens_apart() -> None:
    sequence = Sequence(0, [5, 6], SamplingParams())
    sequence.computed = 2
    sequence.tokens.append(7)
    assert sequence.prompt_length == 2
    assert sequence.generated_length == 1
    assert sequence.pending == 1
