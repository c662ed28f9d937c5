"""State that processes share through Redis; needs the extra ``stormproof[redis]``.

Each operation is one script, which Redis executes as a whole, by its own clock. The scripts stand
beside this file, in ``redis_scripts``.
"""

from asyncio import AbstractEventLoop, Semaphore, get_running_loop, wait
from collections.abc import AsyncGenerator, Callable
from functools import cache, singledispatch
from hashlib import sha1, sha256
from importlib.resources import files
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

try:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import NoScriptError
    from redis.retry import Retry
except ModuleNotFoundError as error:
    hint = "RedisStore needs the extra: pip install 'stormproof[redis]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.errors import Problems
from stormproof.recovery.circuits.circuit import CircuitOptions, CircuitState
from stormproof.recovery.circuits.opening_rules import (
    ConsecutiveFailures,
    FailureRate,
    OpeningRule,
    SlowCallRate,
)
from stormproof.recovery.circuits.sliding_window import LastCalls
from stormproof.recovery.limits.bucket import Rate
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
from stormproof.recovery.sharing.store import Operation, Store

R = TypeVar("R")

_Reply: TypeAlias = list[Any]

_FORMAT: Final = 1
"""Of what the keys hold; processes of another format do not see it."""

_LONGEST_NAME: Final = 200
_CONNECTIONS: Final = 32
"""That the tasks of an event loop share: with more they would only queue elsewhere."""

_FADED: Final = 20
"""Windows after which a budget is at rest, to a few billionths."""

_COUNTED_FOR: Final = 3600.0
"""Seconds that stand for a window of calls, which may be as far apart as they like."""

_FULL_FOR: Final = 60.0
"""Seconds for which a limit with all its permits is kept; one that is not there has them too."""


class _Script(NamedTuple):
    """What Redis executes, and the name by which it remembers that."""

    text: str
    sha: str


class _Request(NamedTuple):
    """An operation as Redis is asked for it.

    Attributes:
        script: The name of the script.
        name: Of the object.
        keep: Seconds after which an object that nobody uses is forgotten.
        arguments: For the script.
        read: Makes the operation's result from the script's reply.
    """

    script: str
    name: str
    keep: float
    arguments: tuple[Any, ...]
    read: Callable[[Any], Any]


class RedisStore(Store):
    """Shares the state of breakers, limits and budgets between processes, through Redis.

    Strategies of one kind with the same name in the same store are one: give each dependency a
    name. While Redis is out of reach every process goes by its own state, no call fails for it,
    and ``StoreLost`` and ``StoreRegained`` say so once.

    Threads and event loops may share a store; each event loop gets connections of its own, which
    close when ``asyncio.run`` ends.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py reads it. It is a secret, and
            appears nowhere.
        name: What events call the store.
        prefix: Begins every key; stores with different ones share nothing.
        timeout: Seconds that a call spends on Redis at most. One with less than that left before
            its deadline goes by its own state.
        retry_after: Seconds for which no call tries, once Redis could not be reached.
        memory: Seconds for which a process may go by what it heard last, so that not every call
            asks Redis. By default all do.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "redis",
        prefix: str = "stormproof",
        timeout: float = 0.2,
        retry_after: float = 1.0,
        memory: float = 0.0,
    ) -> None:
        super().__init__(name, timeout=timeout, retry_after=retry_after, memory=memory)
        problems = Problems()
        problems.check(_is_url(url), "url", "must be that of a Redis server", "url")
        problems.check(prefix, "prefix", "must not be empty", "missing")
        problems.raise_if_any("the store is not valid")
        self._url: Final = url
        self._prefix: Final = f"{_quoted(prefix)}:{_FORMAT}"
        self._settings: Final[dict[str, Any]] = {
            # Each call waits twice at most: for a connection and for the answer.
            "socket_connect_timeout": timeout / 2,
            "socket_timeout": timeout / 2,
            "protocol": 2,  # needs no greeting
            "decode_responses": True,
        }
        self._client: Final = Redis.from_url(url, retry=Retry(NoBackoff(), 0), **self._settings)
        self._connections: Final[dict[AbstractEventLoop, _Connections]] = {}

    def execute(self, operation: Operation[R]) -> R:
        """Execute ``operation``."""
        request = _request(operation)
        script, arguments = self._command(request)
        try:
            reply = self._client.evalsha(script.sha, 1, *arguments)
        except NoScriptError:
            reply = self._client.eval(script.text, 1, *arguments)
        result: R = request.read(reply)
        return result

    async def aexecute(self, operation: Operation[R]) -> R:
        """Execute ``operation`` without blocking the event loop."""
        request = _request(operation)
        script, arguments = self._command(request)
        connections = await self._connected()
        outages = self.outages
        async with connections.turn:
            if self.outages > outages:
                raise RedisConnectionError("lost while this call waited for its turn")
            try:
                reply = await connections.client.evalsha(script.sha, 1, *arguments)
            except NoScriptError:
                reply = await connections.client.eval(script.text, 1, *arguments)
        result: R = request.read(reply)
        return result

    async def aping(self) -> None:
        """Find out whether Redis answers.

        Raises:
            RedisError: It does not.
        """
        connections = await self._connected()
        await connections.client.ping()

    def close(self) -> None:
        """Close the connections of threads; the next call opens new ones."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop, once all that was to be told has been.

        The next call opens new ones.
        """
        loop = get_running_loop()
        if told := [task for task in tuple(self._tasks) if task.get_loop() is loop]:
            await wait(told)
        connections = self._connections.get(loop)
        if connections is not None:
            await connections.closer.aclose()

    def _command(self, request: _Request) -> tuple[_Script, tuple[Any, ...]]:
        key = f"{self._prefix}:{request.script}:{_bounded(request.name)}"
        return _script(request.script), (key, self._time(), request.keep, *request.arguments)

    def _time(self) -> str | float:
        """Return the time in seconds; nothing, unless a test has one: the server has a clock."""
        return ""

    async def _connected(self) -> "_Connections":
        """Return what the tasks of this event loop share."""
        loop = get_running_loop()
        connections = self._connections.get(loop)
        if connections is None:
            for other in tuple(self._connections):  # a copy: other threads have loops too
                if other.is_closed():
                    self._connections.pop(other, None)
            retry = AsyncRetry(NoBackoff(), 0)
            client = AsyncRedis.from_url(self._url, retry=retry, **self._settings)
            connections = _Connections(client, Semaphore(_CONNECTIONS), self._closer(loop, client))
            self._connections[loop] = connections
            await anext(connections.closer)
        return connections

    async def _closer(
        self, loop: AbstractEventLoop, client: AsyncRedis
    ) -> AsyncGenerator[None, None]:
        """Close ``client`` when this generator is closed, at the latest when the loop shuts down.

        A client can be closed in its own loop alone, and a loop tells nobody that it is about to
        end, except the async generators that have begun in it.
        """
        try:
            yield
        finally:
            self._connections.pop(loop, None)
            await client.aclose()


class _Connections(NamedTuple):
    """What the tasks of one event loop share.

    Attributes:
        client: Opens connections as needed.
        turn: Bounds how many.
        closer: Closes the client when it is closed.
    """

    client: AsyncRedis
    turn: Semaphore
    closer: AsyncGenerator[None, None]


@singledispatch
def _request(operation: object) -> _Request:
    raise TypeError(f"there is no script for {operation!r}")


@_request.register
def _(change: ChangeBalance) -> _Request:
    arguments = (change.retries, change.least, change.rest, change.window)
    return _Request("budget", change.name, _FADED * change.window, arguments, _balance)


@_request.register
def _(take: TakePermits) -> _Request:
    return _limit(take.name, "take", take.longest, take.rates, take.amounts, more=take.more)


@_request.register
def _(charge: ChargePermits) -> _Request:
    return _limit(charge.name, "charge", 0.0, charge.rates, charge.amounts)


@_request.register
def _(ration: RationPermits) -> _Request:
    return _limit(ration.name, "ration", ration.delay, ration.rates, ration.amounts)


@_request.register
def _(enter: EnterCircuit) -> _Request:
    generation, successes = enter.untold
    return _circuit(
        enter.name,
        enter.options,
        "enter",
        token=enter.token,
        generation=generation,
        successes=successes,
    )


@_request.register
def _(leave: LeaveCircuit) -> _Request:
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


@_request.register
def _(look: LookAtCircuit) -> _Request:
    generation, successes = look.untold
    return _circuit(look.name, look.options, "look", generation=generation, successes=successes)


@_request.register
def _(rest: RestCircuit) -> _Request:
    return _circuit(rest.name, rest.options, "rest", rest=rest.seconds)


@_request.register
def _(abandon: AbandonProbe) -> _Request:
    return _circuit(abandon.name, abandon.options, "abandon", token=abandon.token)


@_request.register
def _(force: ForceCircuit) -> _Request:
    return _circuit(force.name, force.options, "force", state=force.state)


def _limit(
    name: str,
    action: str,
    seconds: float,
    rates: tuple[Rate, ...],
    amounts: tuple[float, ...],
    *,
    more: tuple[float, ...] = (),
) -> _Request:
    more = more or (0.0,) * len(rates)
    buckets = [(*rate, *pair) for rate, *pair in zip(rates, amounts, more, strict=True)]
    arguments = (action, seconds, *(number for bucket in buckets for number in bucket))
    return _Request("limit", name, _FULL_FOR, arguments, _permits)


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
) -> _Request:
    lasts = options.open_for
    rules = [_rule(rule, failed, took) for rule in options.opens_on]
    windows = [seconds or _COUNTED_FOR for _, _, seconds, _, _ in rules]
    return _Request(
        "circuit",
        name,
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


@cache
def _script(name: str) -> _Script:
    directory = files("stormproof.recovery") / "redis_scripts"
    text = "".join((directory / f"{part}.lua").read_text("utf-8") for part in ("state", name))
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


def _bounded(name: str) -> str:
    """Return a name for use in a key: readable, without separators, and not too long."""
    quoted = _quoted(name)
    if len(quoted) <= _LONGEST_NAME:
        return quoted
    return f"{quoted[:_LONGEST_NAME]}~{sha256(quoted.encode()).hexdigest()}"


def _quoted(name: str) -> str:
    """Quote any string: half a surrogate pair, as JSON may bring one, is no outage."""
    return quote(name, safe="", errors="surrogatepass")


def _is_url(url: object) -> bool:
    if not str(url).startswith(("redis://", "rediss://", "unix://")):
        return False
    try:
        Redis.from_url(str(url))
    except ValueError:  # which quotes parts of it
        return False
    return True
