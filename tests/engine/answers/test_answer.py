"""An answer says how its next tokens are chosen."""

from typing import Any

from stormproof.engine.answers.answer import Answer
from stormproof.engine.sampling.draw import Sampled
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.sequence import Sequence
from stormproof.engine.tokens.detokenizer import Detokenizer
from support.byte_tokenizer import byte_tokenizer


class Unread(list[int]):
    """Tokens that may be counted, but not read."""

    def __getitem__(self, _: Any) -> Any:
        raise AssertionError("the answer was read again")


def test_what_was_generated_is_counted_once_and_not_at_every_token() -> None:
    """Drafted tokens count as far as they stand before the one that is chosen."""
    params = SamplingParams(frequency_penalty=1)
    sequence = Sequence(0, Unread([65]), params)
    answer = Answer(sequence, Detokenizer(byte_tokenizer()), frozenset())
    for token in (66, 67, 66):
        answer.take(Sampled(token))
    draws = answer.draws((67, 68))
    assert [draw.generated for draw in draws] == [
        {66: 2, 67: 1},
        {66: 2, 67: 2},
        {66: 2, 67: 2, 68: 1},
    ]
    assert [draw.position for draw in draws] == [4, 5, 6]
