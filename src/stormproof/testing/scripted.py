"""A function that does, call by call, what a script says."""

from collections.abc import AsyncGenerator
from typing import Any, Final, NamedTuple

from stormproof.recovery.clock import current_clock


class Takes(NamedTuple):
    """A step that takes time on the clock in force, and then does what another step says.

    Attributes:
        seconds: How long.
        then: The step that follows.
    """

    seconds: float
    then: object = None


class Scripted:
    """A dependency that fails on cue.

    ```python
    fetch = Scripted(NetworkError(reason="cut"), Takes(1.0, "late"), "answer")
    fetch()  # raises; the second call takes a second, the third answers, as all later ones do
    ```

    A step that is an exception is raised, any other is returned; the last step repeats.

    Args:
        steps: What to do on the first call, the second, and so on; at least one.

    Attributes:
        calls: The arguments of every call so far, as ``(args, kwargs)``.
    """

    __name__ = "scripted"

    def __init__(self, *steps: object) -> None:
        if not steps:
            raise TypeError("a script needs at least one step")
        self._steps: Final = steps
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the next step."""
        step = self._next(args, kwargs)
        if isinstance(step, Takes):
            current_clock().sleep(step.seconds)
            step = step.then
        return _outcome(step)

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Do the next step, as a coroutine."""
        step = self._next(args, kwargs)
        return _outcome(await _taken(step))

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Do the next step, as a stream: each of its elements is a step of its own."""
        steps = self._next(args, kwargs)
        for step in steps if isinstance(steps, list) else [steps]:
            yield _outcome(await _taken(step))

    def _next(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        self.calls.append((args, kwargs))
        return self._steps[min(len(self.calls), len(self._steps)) - 1]


async def _taken(step: object) -> object:
    if isinstance(step, Takes):
        await current_clock().asleep(step.seconds)
        return step.then
    return step


def _outcome(step: object) -> object:
    if isinstance(step, BaseException):
        raise step.with_traceback(None)  # raised before, it would show the earlier calls too
    return step
