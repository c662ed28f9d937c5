"""What Redis is asked for each operation: which script, on which objects, with which arguments."""

from collections.abc import Callable
from functools import singledispatch
from math import inf
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from stormproof.recovery.circuits.circuit import CircuitOptions, CircuitState
from stormproof.recovery.circuits.opening_rules import (
    ConsecutiveFailures,
    FailureRate,
    OpeningRule,
    SlowCallRate,
)
from stormproof.recovery.circuits.sliding_window import LastCalls
from stormproof.recovery.limits.bucket import Rate
from stormproof.recovery.sharing.joint_operations import (
    AccountState,
    EnterMeters,
    LeaveMeters,
    Meter,
    Metered,
    MeterState,
    Settle,
    Spend,
    Spent,
)
from stormproof.recovery.sharing.operations import (
    AbandonProbe,
    Balance,
    ChangeBalance,
    ChargePermits,
    CircuitReport,
    EnterCircuit,
    ForceCircuit,
    LeaveCircuit,
    LookAtCircuit,
    Permits,
    RationPermits,
    RestCircuit,
    TakePermits,
)

_Reply: TypeAlias = list[Any]

_FADED: Final = 20
"""Windows after which a budget is at rest, to a few billionths."""

_COUNTED_FOR: Final = 3600.0
"""Seconds that stand for a window of calls, which may be as far apart as they like."""

_FULL_FOR: Final = 60.0
"""Seconds for which a limit with all its permits is kept; one that is not there has them too."""


class RedisRequest(NamedTuple):
    """An operation as Redis is asked for it.

    Attributes:
        script: The name of the script.
        names: Of the objects, at least one.
        keep: Seconds after which an object that nobody uses is forgotten.
        arguments: For the script.
        read: Makes the operation's result from the script's reply.
    """

    script: str
    names: tuple[str, ...]
    keep: float
    arguments: tuple[Any, ...]
    read: Callable[[Any], Any]


@singledispatch
def redis_request(operation: object) -> RedisRequest:
    """Return what Redis is asked for an operation."""
    raise TypeError(f"there is no script for {operation!r}")


@redis_request.register
def _(change: ChangeBalance) -> RedisRequest:
    arguments = (change.retries, change.least, change.rest, change.window)
    return RedisRequest("budget", (change.name,), _FADED * change.window, arguments, _balance)


@redis_request.register
def _(take: TakePermits) -> RedisRequest:
    return _limit(take.name, "take", take.longest, take.rates, take.amounts, more=take.more)


@redis_request.register
def _(charge: ChargePermits) -> RedisRequest:
    return _limit(charge.name, "charge", 0.0, charge.rates, charge.amounts)


@redis_request.register
def _(ration: RationPermits) -> RedisRequest:
    return _limit(ration.name, "ration", ration.delay, ration.rates, ration.amounts)


@redis_request.register
def _(enter: EnterCircuit) -> RedisRequest:
    generation, successes = enter.untold
    return _circuit(
        enter.name,
        enter.options,
        "enter",
        token=enter.token,
        generation=generation,
        successes=successes,
    )


@redis_request.register
def _(leave: LeaveCircuit) -> RedisRequest:
    return _circuit(
        leave.name,
        leave.options,
        "leave",
        token=leave.token,
        generation=leave.generation,
        failed=leave.failed,
        took=leave.took,
        successes=leave.successes,
    )


@redis_request.register
def _(look: LookAtCircuit) -> RedisRequest:
    generation, successes = look.untold
    return _circuit(look.name, look.options, "look", generation=generation, successes=successes)


@redis_request.register
def _(rest: RestCircuit) -> RedisRequest:
    return _circuit(rest.name, rest.options, "rest", rest=rest.seconds)


@redis_request.register
def _(abandon: AbandonProbe) -> RedisRequest:
    return _circuit(abandon.name, abandon.options, "abandon", token=abandon.token)


@redis_request.register
def _(enter: EnterMeters) -> RedisRequest:
    return _meters(enter.meters, "enter", enter.call, enter.lease, _metered)


@redis_request.register
def _(leave: LeaveMeters) -> RedisRequest:
    return _meters(leave.meters, "leave", leave.call, leave.lease, _nothing)


@redis_request.register
def _(spend: Spend) -> RedisRequest:
    names = tuple(account.name for account in spend.accounts)
    known = (number for _, *rest in spend.accounts for number in rest)
    arguments = ("spend", spend.amount, spend.begin, *known)
    return RedisRequest("accounts", names, 0.0, arguments, _spent)


@redis_request.register
def _(settle: Settle) -> RedisRequest:
    return RedisRequest("accounts", settle.accounts, 0.0, ("settle", settle.amount), _nothing)


@redis_request.register
def _(force: ForceCircuit) -> RedisRequest:
    return _circuit(force.name, force.options, "force", state=force.state)


def _limit(
    name: str,
    action: str,
    seconds: float,
    rates: tuple[Rate, ...],
    amounts: tuple[float, ...],
    *,
    more: tuple[float, ...] = (),
) -> RedisRequest:
    more = more or (0.0,) * len(rates)
    buckets = [(*rate, *pair) for rate, *pair in zip(rates, amounts, more, strict=True)]
    arguments = (action, seconds, *(number for bucket in buckets for number in bucket))
    return RedisRequest("limit", (name,), _FULL_FOR, arguments, _permits)


def _meters(
    meters: tuple[Meter, ...], action: str, call: str, lease: float, read: Callable[[_Reply], Any]
) -> RedisRequest:
    names = tuple(meter.name for meter in meters)
    numbers: list[float] = []
    for _, places, buckets in meters:
        numbers.append(places)
        for rate, amount in buckets:
            numbers += *rate, amount
    return RedisRequest("meters", names, _FULL_FOR, (action, call, lease, *numbers), read)


def _metered(reply: _Reply) -> Metered:
    granted, *numbers = reply
    states = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return Metered(
        granted == 1,
        tuple(MeterState((float(one), float(two)), int(taken)) for one, two, taken in states),
    )


def _spent(reply: _Reply) -> Spent:
    granted, *told = reply
    states = zip(told[::3], told[1::3], told[2::3], strict=True)
    return Spent(
        granted == 1,
        tuple(AccountState(name, int(turn), int(float(spent))) for name, turn, spent in states),
    )


def _nothing(_reply: object) -> Literal[True]:
    return True


def _permits(reply: _Reply) -> Permits:
    wait, more = reply
    return Permits(float(wait), more == 1)


def _balance(reply: _Reply) -> Balance:
    retries, granted = reply
    return Balance(float(retries), granted == 1)


def _circuit(
    name: str,
    options: CircuitOptions,
    action: str,
    *,
    token: str = "",
    generation: int = 0,
    failed: bool = False,
    took: float = -inf,
    state: CircuitState = CircuitState.CLOSED,
    rest: float = 0.0,
    successes: int = 0,
) -> RedisRequest:
    lasts = options.open_for
    rules = [_rule(rule, failed, took) for rule in options.opens_on]
    windows = [seconds or _COUNTED_FOR for _, _, seconds, _, _ in rules]
    return RedisRequest(
        "circuit",
        (name,),
        2 * max(lasts.longest, options.probe_lease, *windows),
        (
            *(action, token, generation, int(failed or took > options.slower_than), state.value),
            *(lasts.first, lasts.factor, lasts.longest, lasts.drawn(1.0)),
            *(options.probes, options.successes_to_close, options.probe_lease, rest, successes),
            *(number for rule in rules for number in rule),
        ),
        _circuit_report,
    )


def _rule(rule: OpeningRule, failed: bool, took: float) -> tuple[float, int, float, int, int]:
    """Return the rate, the minimum, the window in seconds or calls, and whether this is a case."""
    if isinstance(rule, ConsecutiveFailures):  # so many among as many
        return 1.0, rule.limit, 0.0, rule.limit, int(failed)
    if not isinstance(rule, FailureRate | SlowCallRate):
        raise TypeError(f"no script for {rule!r}")
    marked = took > rule.slower_than if isinstance(rule, SlowCallRate) else failed
    over = rule.window
    window = (0.0, over.calls) if isinstance(over, LastCalls) else (over, 0)
    return rule.rate, rule.minimum_calls, *window, int(marked)


def _circuit_report(reply: _Reply) -> CircuitReport:
    state, moved, wait, generation, rest, troubled = reply
    return CircuitReport(
        CircuitState(state), moved == 1, float(wait), int(generation), float(rest), troubled == 1
    )
