"""State that processes share through Redis; needs the extra ``stormproof[redis]``.

Each operation is one script, which Redis executes as a whole, by its own clock. The scripts stand
beside this file, in ``redis_scripts``.
"""

from asyncio import AbstractEventLoop, Semaphore, get_running_loop, wait
from collections.abc import AsyncGenerator
from functools import cache
from hashlib import sha1, sha256
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeVar
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
from stormproof.recovery.redis_requests import RedisRequest, redis_request
from stormproof.recovery.sharing.store import Operation, Store

R = TypeVar("R")

_FORMAT: Final = 1
"""Of what the keys hold; processes of another format do not see it."""

_LONGEST_NAME: Final = 200
_CONNECTIONS: Final = 32
"""That the tasks of an event loop share: with more they would only queue elsewhere."""

_TOGETHER: Final = frozenset({"meters", "accounts"})
"""Scripts that work on several objects, which a cluster then has to place together."""


class _Script(NamedTuple):
    """What Redis executes, and the name by which it remembers that."""

    text: str
    sha: str


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
        request = redis_request(operation)
        script, arguments = self._command(request)
        try:
            reply = self._client.evalsha(script.sha, *arguments)
        except NoScriptError:
            reply = self._client.eval(script.text, *arguments)
        result: R = request.read(reply)
        return result

    async def aexecute(self, operation: Operation[R]) -> R:
        """Execute ``operation`` without blocking the event loop."""
        request = redis_request(operation)
        script, arguments = self._command(request)
        connections = await self._connected()
        outages = self.outages
        async with connections.turn:
            if self.outages > outages:
                raise RedisConnectionError("lost while this call waited for its turn")
            try:
                reply = await connections.client.evalsha(script.sha, *arguments)
            except NoScriptError:
                reply = await connections.client.eval(script.text, *arguments)
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

    def _command(self, request: RedisRequest) -> tuple[_Script, tuple[Any, ...]]:
        name = request.script
        place = f"{{{name}}}" if name in _TOGETHER else name
        keys = [f"{self._prefix}:{place}:{_bounded(one)}" for one in request.names]
        arguments = (len(keys), *keys, self._time(), request.keep, *request.arguments)
        return _script(name), arguments

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
