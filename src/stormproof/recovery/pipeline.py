"""An ordered list of strategies around one function."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from functools import cached_property, update_wrapper
from types import AsyncGeneratorType, CoroutineType
from typing import Any, Final, ParamSpec, TypeVar

from stormproof.errors import Problems
from stormproof.recovery.options import check_count
from stormproof.recovery.strategy import Call, Site, Strategy
from stormproof.recovery.streams.delivery import deliver

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_UNNAMED: Final = "pipeline"

_Guard = Callable[[Strategy, Call, Site], Call]


class Pipeline:
    """Strategies around a function, outermost first.

    ```python
    answers = Pipeline(
        Fallback(value="Ask me again later."),
        Deadline(30),
        Retry(),
        CircuitBreaker("openai"),
        name="answers",
    )

    @answers
    async def answer(question: str) -> str: ...
    ```

    Sync functions, coroutine functions and async generator functions are guarded alike. The
    pipeline is immutable; what changes, such as the state of a circuit, belongs to its strategies
    and is shared by everything they guard.

    A guarded stream that breaks for good after its first item raises ``PartialOutput``, whatever
    the strategies.

    Args:
        strategies: Outermost first: the first one sees only what the others could not recover.
        name: What events and errors call it; a decorated function's own name by default.
        keeps: How many items of a stream a ``PartialOutput`` can carry, at most; 0 to 1,000,000.
            They are the first ones, and are kept until the stream ends.
    """

    def __init__(self, *strategies: Strategy, name: str | None = None, keeps: int = 10_000) -> None:
        for strategy in strategies:
            if not isinstance(strategy, Strategy):
                raise TypeError(f"a pipeline is made of strategies, not of {strategy!r}")
        problems = Problems()
        check_count(problems, "keeps", keeps, least=0)
        problems.raise_if_any("the pipeline is not valid")
        self._strategies: Final = strategies
        self._name: Final = name
        self._keeps: Final = keeps

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """The strategies, outermost first."""
        return self._strategies

    @property
    def name(self) -> str | None:
        """What events and errors call it, if that was said."""
        return self._name

    def __repr__(self) -> str:
        return f"{self._name or _UNNAMED}: {' > '.join(map(str, self._strategies)) or 'unguarded'}"

    def __call__(self, fn: Callable[P, R], /) -> Callable[P, R]:
        """Guard ``fn``: a sync function, a coroutine function or an async generator function.

        Raises:
            TypeError: ``fn`` is no function, or a generator function; what that yields cannot be
                called again.
        """
        if not callable(fn):
            raise TypeError(f"a pipeline guards functions, not {fn!r}")
        own_name: str = getattr(fn, "__name__", _UNNAMED)
        site = Site(self._name or own_name, function=fn)
        guarded = self._compile(_guard_for(fn), fn, site)
        return guarded if guarded is fn else update_wrapper(guarded, fn)

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``fn(*args, **kwargs)`` returns, guarded.

        Raises:
            TypeError: ``fn`` returned a coroutine: ``acall`` it; or an async generator: ``stream``
                it.
        """
        result: R = self._guarded_call(fn, *args, **kwargs)
        return result

    def acall(
        self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Return what ``await fn(*args, **kwargs)`` returns, guarded, when awaited."""
        result: Coroutine[Any, Any, R] = self._guarded_coroutine(fn, *args, **kwargs)
        return result

    def stream(
        self, fn: Callable[P, AsyncIterator[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        """Return the items of ``fn(*args, **kwargs)``, guarded.

        Leave the stream by its end, or close it (``contextlib.aclosing``).

        Raises:
            PartialOutput: While iterating, when the stream breaks for good after its first item.
        """
        items: AsyncGenerator[T, None] = self._guarded_stream(fn, *args, **kwargs)
        return items

    @cached_property
    def _guarded_call(self) -> Call:
        return self._compile(_guard_call, _invoke, self._anywhere)

    @cached_property
    def _guarded_coroutine(self) -> Call:
        return self._compile(_guard_coroutine, _invoke_coroutine, self._anywhere)

    @cached_property
    def _guarded_stream(self) -> Call:
        return self._compile(_guard_stream, _invoke_stream, self._anywhere)

    @property
    def _anywhere(self) -> Site:
        return Site(self._name or _UNNAMED, named_call=True)

    def _compile(self, guard: _Guard, call: Call, site: Site) -> Call:
        """Wrap ``call`` in every strategy, the last one first."""
        guarded = call
        for place, strategy in reversed(list(enumerate(self._strategies))):
            guarded = guard(strategy, guarded, site._replace(outside=self._strategies[:place]))
        if guard is _guard_stream:
            return deliver(guarded, site.pipeline, self._keeps)
        return guarded


def _guard_call(strategy: Strategy, call: Call, site: Site) -> Call:
    return strategy.guard_call(call, site)


def _guard_coroutine(strategy: Strategy, call: Call, site: Site) -> Call:
    return strategy.guard_coroutine(call, site)


def _guard_stream(strategy: Strategy, call: Call, site: Site) -> Call:
    return strategy.guard_stream(call, site)


def _guard_for(fn: Call) -> _Guard:
    import inspect  # noqa: PLC0415 - heavy, and needed by decorators alone

    # An object that is called like a function is what its class says.
    for one in (fn, getattr(type(fn), "__call__", None)):  # noqa: B004
        if inspect.isasyncgenfunction(one):
            return _guard_stream
        if inspect.iscoroutinefunction(one):
            return _guard_coroutine
        if inspect.isgeneratorfunction(one):
            raise TypeError("a generator function cannot be guarded; an async one can")
    return _guard_call


def _invoke(fn: Call, /, *args: Any, **kwargs: Any) -> Any:
    result = fn(*args, **kwargs)
    if result.__class__ is CoroutineType:
        result.close()
        raise TypeError("call() was given a coroutine function; acall() guards those")
    if result.__class__ is AsyncGeneratorType:
        raise TypeError("call() was given an async generator function; stream() guards those")
    return result


def _invoke_coroutine(fn: Call, /, *args: Any, **kwargs: Any) -> Any:
    return fn(*args, **kwargs)


def _invoke_stream(fn: Call, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
    result = fn(*args, **kwargs)
    if result.__class__ is CoroutineType:
        result.close()
        raise TypeError(
            "stream() was given a coroutine function; it takes those of async iterators"
        )
    # An iterable may make a generator to iterate over it, which is what is to be closed.
    items: AsyncIterator[Any] = aiter(result)
    return items if hasattr(items, "aclose") else _closable(items)


async def _closable(items: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    async for item in items:
        yield item
