"""Choosing the next token of every sequence of a batch.

Every filter is a floor under the scores: tokens below it cannot be chosen, tokens that tie with it
can. The choice among the rest inverts their cumulative distribution *in the order of token ids* at
one random number per token, so neither the order in which equal scores were sorted nor the other
rows of the batch have any influence on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from stormproof.engine.sampling.draw import Draw, Sampled, TokenLogprobs
from stormproof.engine.sampling.randomness import uniform
from stormproof.errors import TensorError

_LEAST_TEMPERATURE: Final = 1e-5
# Usually enough tokens for a nucleus, and much cheaper to find than the order of them all.
_NUCLEUS_GUESS: Final = 256
# Few enough for their temporaries to stay in a CPU's cache; with more, memory costs most of it.
_ROWS_AT_ONCE: Final = 8
_NONE: Final = -1


def sample(logits: Tensor, draws: Sequence[Draw]) -> list[Sampled | TensorError]:
    """Choose a token for each row.

    Args:
        logits: float32 [rows, vocab]
        draws: How to choose in each row. [rows]

    Returns:
        For each row the token, or the error if its logits are not numbers or none is allowed.
    """
    adjusted = _with_masks(_with_biases(logits, draws), draws)
    peaks, chosen = adjusted.max(dim=1)
    drawing = [row for row, draw in enumerate(draws) if draw.params.temperature > 0]
    for start in range(0, len(drawing), _ROWS_AT_ONCE):
        rows = drawing[start : start + _ROWS_AT_ONCE]
        chosen[rows] = _choose(adjusted[rows], [draws[row] for row in rows])
    # One copy from the device: it waits for everything that the device has to do.
    tokens = chosen.masked_fill(~peaks.isfinite(), _NONE).tolist()
    logprobs = _logprobs(logits, draws, tokens)
    return [
        _impossible(draws[row]) if token == _NONE else Sampled(token, logprobs.get(row))
        for row, token in enumerate(tokens)
    ]


def _impossible(draw: Draw) -> TensorError:
    if draw.allowed is not None and not any(draw.allowed):
        return TensorError(reason="no token is allowed")
    return TensorError(reason="logits are not finite")


def _rows(logits: Tensor, rows: Sequence[int]) -> Tensor:
    return logits if len(rows) == len(logits) else logits[rows]


def _with_biases(logits: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Apply penalties and biases, in a copy if there are any."""
    offsets = {row: found for row, draw in enumerate(draws) if (found := draw.offsets())}
    if offsets:
        logits = logits.clone()
    for row, by_token in offsets.items():
        tokens = torch.tensor(list(by_token), device=logits.device)
        logits[row, tokens] += torch.tensor(list(by_token.values()), device=logits.device)
    return logits


def _with_masks(logits: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Make impossible what is not allowed, in a copy if anything is not."""
    masks = {row: draw.allowed for row, draw in enumerate(draws) if draw.allowed is not None}
    if masks:
        logits = logits.clone()
    for row, mask in masks.items():
        logits[row, ~_bits(mask, logits.shape[1]).to(logits.device)] = -torch.inf
    return logits


def _bits(mask: bytes, count: int) -> Tensor:
    """Unpack the first bits of a mask, those it lacks being 0: bool [count]."""
    packed = torch.frombuffer(bytearray(mask.ljust(-(-count // 8), b"\0")), dtype=torch.uint8)
    return packed[:, None].bitwise_right_shift(torch.arange(8)).bitwise_and(1).flatten()[:count] > 0


def _choose(logits: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Draw a token for each row: [rows]."""
    temperatures = [max(draw.params.temperature, _LEAST_TEMPERATURE) for draw in draws]
    # With the best score at 0 no exponential overflows, however small the temperature.
    scores = (logits - logits.amax(dim=1, keepdim=True)).div_(_column(temperatures, logits))
    weights = scores.exp().masked_fill_(scores < _floors(scores, draws), 0)
    cumulative = weights.cumsum(dim=1)
    total = cumulative[:, -1:]
    targets = total * _column([uniform(draw.seed, draw.position) for draw in draws], total)
    # Rounding may not carry the target to the total: what is first above it must have a weight.
    targets = targets.minimum(total.nextafter(torch.zeros_like(total)))
    return (
        torch.searchsorted(cumulative, targets, right=True)
        .squeeze(1)
        .clamp_max(
            logits.shape[1] - 1  # only a row of NaN, which is refused by its peak, gets this far
        )
    )


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).unsqueeze(1)


def _floors(scores: Tensor, draws: Sequence[Draw]) -> Tensor:
    """Find the least score that may be chosen in each row: [rows, 1]."""
    vocab = scores.shape[1]
    floors = _column([draw.params.min_p for draw in draws], scores).log()
    cut = [row for row, draw in enumerate(draws) if draw.params.top_k or draw.params.top_p < 1]
    if cut:
        limits = [min(draws[row].params.top_k or vocab, vocab) for row in cut]
        nucleus = _Nucleus(
            scores=_rows(scores, cut),
            limits=torch.tensor(limits, device=scores.device).unsqueeze(1),
            top_p=_column([draws[row].params.top_p for row in cut], scores).double(),
        )
        floors[cut] = floors[cut].maximum(nucleus.floors(among=_NUCLEUS_GUESS))
    return floors


@dataclass(frozen=True, slots=True)
class _Nucleus:
    """The tokens that pass both top-k and, of what top-k left, top-p.

    Sums are in float64: the order of a float32 sum depends on the shape of the batch, and its
    rounding could move a floor.

    Attributes:
        scores: Best first at 0. [rows, vocab]
        limits: top-k, or the whole vocabulary. [rows, 1]
        top_p: Share of the probability to reach. [rows, 1]
    """

    scores: Tensor
    limits: Tensor
    top_p: Tensor

    def floors(self, among: int) -> Tensor:
        """Find the least score in the nucleus of each row: [rows, 1].

        Args:
            among: How many of the best scores to look at first; rows that need more get more.
        """
        vocab = self.scores.shape[1]
        best = self.scores.topk(min(among, vocab), dim=1).values
        kept = torch.arange(best.shape[1], device=best.device) < self.limits
        weights = best.exp().double() * kept
        reached = weights.cumsum(dim=1)
        everything = self.scores.exp().sum(dim=1, keepdim=True, dtype=torch.float64)
        goal = self.top_p * torch.where(self.limits < vocab, reached[:, -1:], everything)
        needed = ((reached - weights < goal) & kept).sum(dim=1, keepdim=True).clamp_min(1)
        floors = best.gather(1, needed - 1)
        enough = (self.limits <= among) | ((self.limits == vocab) & (reached[:, -1:] >= goal))
        if among < vocab and not bool(enough.all()):
            floors[~enough] = self._where(~enough.squeeze(1)).floors(16 * among).squeeze(1)
        return floors

    def _where(self, rows: Tensor) -> "_Nucleus":
        return _Nucleus(self.scores[rows], self.limits[rows], self.top_p[rows])


def _logprobs(
    logits: Tensor, draws: Sequence[Draw], tokens: Sequence[int]
) -> dict[int, TokenLogprobs]:
    """Report log probabilities, by row, for the rows that ask for them."""
    asking = {
        row: draw.params.logprobs
        for row, draw in enumerate(draws)
        if draw.params.logprobs is not None
    }
    if not asking:
        return {}
    rows = list(asking)
    logprobs = _rows(logits, rows).log_softmax(dim=1)
    values, ids = logprobs.topk(min(max(asking.values()), logits.shape[1]), dim=1)
    return {
        row: TokenLogprobs(
            token_id=tokens[row],
            logprob=logprobs[index, tokens[row]].item(),
            top=tuple(zip(ids[index].tolist(), values[index].tolist(), strict=True))[: asking[row]],
        )
        for index, row in enumerate(rows)
    }
