"""The engine's process may die in every way there is: no client notices. On real processes."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from stormproof.engine import AsyncLLM, EngineConfig, FinishReason, Output, SamplingParams
from stormproof.engine.supervised import start_deadline, worker_process
from stormproof.engine.supervised.events import EngineDied, EngineRecovered, RequestConvicted
from stormproof.engine.supervised.supervisor import Supervisor
from stormproof.errors import (
    CapacityExceeded,
    ContextTooLong,
    InternalError,
    ModelLoadError,
    PoisonedRequest,
    ServiceUnavailable,
)
from stormproof.recovery import Event, subscribe
from stormproof.recovery.clock import SystemClock, reset_clock, set_clock
from support.mortal_engine import FussyCore, PickyCore, mortal_core
from support.processes import lives, sleeps, workers

FACTORY = "support.mortal_engine:mortal_core"

Serve = Callable[..., AsyncLLM]


class Obstacle:
    """A file that keeps engines from starting while it exists."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self) -> None:
        self.path.touch()

    def take_away(self) -> None:
        self.path.unlink()


@pytest.fixture
def obstacle(tmp_path: Path) -> Obstacle:
    return Obstacle(tmp_path / "obstacle")


@pytest.fixture
def serve(obstacle: Obstacle) -> Iterator[Serve]:
    started: list[AsyncLLM] = []

    def start(*, factory: str = FACTORY, **settings: Any) -> AsyncLLM:
        config = EngineConfig(model=str(obstacle.path), **settings)
        started.append(AsyncLLM(Supervisor(config, factory=factory)))
        return started[-1]

    yield start
    for llm in started:
        llm.close()


@pytest.fixture
def events() -> Iterator[list[Event]]:
    heard: list[Event] = []
    unsubscribe = subscribe(heard.append)
    yield heard
    unsubscribe()


async def read(stream: AsyncIterator[Output]) -> Output:
    """Join the pieces of a stream."""
    answer = await anext(stream)
    async for piece in stream:
        answer = answer.then(piece)
    return answer


def asked(number: int) -> tuple[list[int], SamplingParams]:
    """Return one of many different requests, some greedy, some sampled, some with stop texts."""
    chance = random.Random(number)
    prompt = [chance.randrange(97, 122) for _ in range(chance.randint(1, 60))]
    params = SamplingParams(
        temperature=chance.choice([0.0, 1.0]),
        seed=number,
        max_tokens=chance.randint(50, 150),
        stop=chance.choice([(), ("qz", "zebra"), ("abc",)]),
    )
    return prompt, params


def undisturbed(prompt: list[int], params: SamplingParams, **settings: Any) -> Output:
    """Answer in this process, alone."""
    core = mortal_core(EngineConfig(model="none", **settings))
    core.add(prompt, params)
    answer = Output(prompt_tokens=0, completion_tokens=0)
    while core.has_work:
        for _, piece in core.step():
            answer = answer.then(piece)
    return answer


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - another process has no event to wait for
        await asyncio.sleep(0.001)


async def recovered(llm: AsyncLLM, deaths: int) -> None:
    """Wait until another process has taken over, after so many deaths at least."""
    await until(lambda: sum(llm.stats().deaths.values()) >= deaths and llm.ready)


def worker() -> int:
    [pid] = workers()
    return pid


async def test_an_answer_comes_from_another_process(serve: Serve) -> None:
    prompt, params = asked(1)
    assert await read(serve().stream(prompt, params)) == undisturbed(prompt, params)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP, signal.SIGABRT])
async def test_a_death_amid_32_streams_changes_none_of_them(
    serve: Serve, events: list[Event], blow: signal.Signals
) -> None:
    """Whatever the process dies of, and twice: every stream holds what it would have held."""
    llm = serve(step_deadline=0.5)
    requests = [asked(number) for number in range(32)]
    streams = [asyncio.create_task(read(llm.stream(*request))) for request in requests]
    for deaths in (1, 2):
        await until(lambda: llm.stats().generated_tokens > 100)
        os.kill(worker(), blow)
        await recovered(llm, deaths)
    answers = await asyncio.gather(*streams)
    assert answers == [undisturbed(*request) for request in requests]
    causes = [event.cause for event in events if isinstance(event, EngineDied)]
    assert causes == ["hang" if blow == signal.SIGSTOP else "signal"] * 2
    recoveries = [event for event in events if isinstance(event, EngineRecovered)]
    assert len(recoveries) == 2
    assert llm.stats().down_seconds == pytest.approx(sum(e.seconds for e in recoveries))


async def test_kills_at_random_moments_refuse_nobody(serve: Serve) -> None:
    llm = serve()
    chance = random.Random(5)
    requests = [asked(number) for number in range(100, 132)]
    streams = asyncio.gather(*(read(llm.stream(*request)) for request in requests))
    kills = 0
    while not streams.done() and kills < 4:
        if llm.ready and llm.stats().running:
            os.kill(worker(), signal.SIGKILL)
            kills += 1
            await recovered(llm, kills)
        await asyncio.sleep(chance.uniform(0, 0.05))
    assert await streams == [undisturbed(*request) for request in requests]


@pytest.mark.parametrize(
    ("fate", "cause"),
    [(1, "signal: SIGSEGV"), (2, "hang: nothing for 0.3 s"), (3, "signal: SIGKILL"),
     (4, "exit: status 7")],
)  # fmt: skip
async def test_a_request_that_kills_the_process_is_refused_and_the_others_go_on(
    serve: Serve, events: list[Event], fate: int, cause: str
) -> None:
    llm = serve(step_deadline=0.3)
    requests = [asked(number) for number in range(8)]
    streams = [asyncio.create_task(read(llm.stream(*request))) for request in requests]
    with pytest.raises(PoisonedRequest) as refusal:
        await read(llm.stream([fate, 97, 98], SamplingParams(temperature=0), request_id="req-1"))
    assert refusal.value.cause == cause
    assert refusal.value.request_id == "req-1"
    assert await asyncio.gather(*streams) == [undisturbed(*request) for request in requests]
    assert sum(isinstance(event, EngineDied) for event in events) <= 4
    assert sum(isinstance(event, RequestConvicted) for event in events) == 1


async def test_poisoned_requests_that_come_together_are_refused_and_the_others_go_on(
    serve: Serve,
) -> None:
    """However many processes die before one of them has finished a step."""
    llm = serve()
    poison = [
        asyncio.create_task(read(llm.stream([1, 97 + number] * 5, SamplingParams())))
        for number in range(4)
    ]
    innocent = asyncio.create_task(read(llm.stream(*asked(1))))
    for refused in await asyncio.gather(*poison, return_exceptions=True):
        assert isinstance(refused, PoisonedRequest)
    assert await innocent == undisturbed(*asked(1))
    assert llm.alive


async def test_a_request_that_kills_before_it_is_read_is_refused_and_the_others_go_on(
    serve: Serve,
) -> None:
    llm = serve(factory="support.mortal_engine:fussy_core")
    requests = [asked(number) for number in range(4)]
    streams = [asyncio.create_task(read(llm.stream(*request))) for request in requests]
    with pytest.raises(PoisonedRequest):
        await read(llm.stream([FussyCore.BANE], SamplingParams()))
    assert await asyncio.gather(*streams) == [undisturbed(*request) for request in requests]


class Paused(SystemClock):
    """A clock that has gone on while everything else stood still."""

    seconds = 0.0
    looks = 0

    def now(self) -> float:
        self.looks += 1
        return time.monotonic() + self.seconds


async def test_a_pause_of_server_and_process_is_no_hang(serve: Serve) -> None:
    """As when a container is paused, or all of a group is stopped."""
    clock = Paused()
    token = set_clock(clock)
    llm = serve()
    reset_clock(token)
    stream = asyncio.create_task(read(llm.stream(*asked(1))))
    await until(lambda: llm.stats().running == 1)
    os.kill(worker(), signal.SIGSTOP)
    clock.seconds, seen = 1000, clock.looks
    another = asyncio.create_task(read(llm.stream(*asked(2))))  # the server looks up
    await until(lambda: clock.looks > seen + 4)
    os.kill(worker(), signal.SIGCONT)
    assert await stream == undisturbed(*asked(1))
    assert await another == undisturbed(*asked(2))
    assert not llm.stats().deaths


async def test_a_request_that_kills_before_a_step_is_refused(serve: Serve) -> None:
    """While its grammar says which tokens are allowed, for example."""
    llm = serve(factory="support.mortal_engine:picky_core")
    innocent = asyncio.create_task(read(llm.stream(*asked(1))))
    with pytest.raises(PoisonedRequest):
        await read(llm.stream([PickyCore.BANE, 97], SamplingParams()))
    assert await innocent == undisturbed(*asked(1))


async def test_a_process_that_is_stopped_from_outside_speaks_against_nobody(
    serve: Serve, obstacle: Obstacle
) -> None:
    """However often, and though it reads one request alone."""
    llm = serve(step_deadline=1.0, factory="support.mortal_engine:patient_core")
    stream = asyncio.create_task(read(llm.stream([97, 98], SamplingParams(max_tokens=3))))
    reading, go = (Obstacle(Path(f"{obstacle.path}.{name}")) for name in ("reading", "go"))
    for _ in range(3):
        await until(lambda: reading.path.exists() or stream.done())
        assert not stream.done()
        reading.take_away()
        os.kill(worker(), signal.SIGSTOP)
    await until(lambda: llm.stats().deaths == {"hang": 3})
    go.put()
    assert (await stream).completion_tokens == 3


async def test_what_a_process_was_stuck_in_is_told(serve: Serve, events: list[Event]) -> None:
    """Its stacks, and what the kernel knows of it; never what the request said."""
    llm = serve(step_deadline=0.3)
    with pytest.raises(PoisonedRequest):
        await read(llm.stream([2, 97, 98], SamplingParams(temperature=0)))
    hang, *_ = [event for event in events if isinstance(event, EngineDied)]
    assert "mortal_engine.py" in hang.stacks
    assert "VmRSS" in hang.facts
    assert hang.step_requests == 1


async def test_a_crash_writes_its_stack(serve: Serve, events: list[Event]) -> None:
    with pytest.raises(PoisonedRequest):
        await read(serve().stream([1, 97, 98], SamplingParams(temperature=0)))
    crash, *_ = [event for event in events if isinstance(event, EngineDied)]
    assert "Segmentation fault" in crash.stacks


async def test_an_engine_that_cannot_start_says_why(serve: Serve, obstacle: Obstacle) -> None:
    obstacle.put()
    with pytest.raises(ModelLoadError, match="somebody has put a file in the way"):
        serve()
    assert workers() == []


async def test_a_process_that_dies_while_it_loads_is_an_error_of_loading() -> None:
    with pytest.raises(ModelLoadError, match="signal: SIGABRT"):
        Supervisor(EngineConfig(model="none"), factory="support.mortal_engine:stillborn")


def test_an_engine_for_which_there_is_no_room_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_spawn", no_room)
    with pytest.raises(ModelLoadError, match="start: EMFILE"):
        Supervisor(EngineConfig(model="none"), factory=FACTORY)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_supervisor_that_fails_while_it_loads_lets_nobody_wait() -> None:
    def fail(_: float) -> None:
        raise RuntimeError

    with pytest.raises(InternalError):
        Supervisor(EngineConfig(model="none"), factory=FACTORY, progress=fail)
    assert workers() == []


async def test_when_there_is_no_room_for_another_process_it_is_tried_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when connections have taken all descriptors: they will be closed some day."""
    llm = serve()
    stream = asyncio.create_task(read(llm.stream(*asked(1))))
    with monkeypatch.context() as patch:
        patch.setattr(worker_process, "_spawn", no_room)
        os.kill(worker(), signal.SIGKILL)
        await until(lambda: llm.stats().deaths.get("start", 0) > 1)
        assert llm.alive
    assert await stream == undisturbed(*asked(1))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="it needs files there")
async def test_no_full_or_missing_disk_keeps_it_from_starting(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert await read(serve().stream(*asked(1))) == undisturbed(*asked(1))


def no_room(*_: object, **__: object) -> NoReturn:
    """Fail as the system does when a limit is reached."""
    raise OSError(errno.EMFILE, "Too many open files")


async def test_a_crash_loop_ends_in_typed_refusals_until_the_engine_is_back(
    serve: Serve, obstacle: Obstacle
) -> None:
    llm = serve()
    assert llm.ready
    obstacle.put()
    os.kill(worker(), signal.SIGKILL)
    await until(lambda: not llm.ready)
    assert llm.alive
    waiting = asyncio.create_task(read(llm.stream(*asked(1))))
    with pytest.raises(ServiceUnavailable) as refusal:
        await waiting
    assert refusal.value.retry_after
    assert not llm.alive
    with pytest.raises(ServiceUnavailable):
        await read(llm.stream(*asked(1)))
    obstacle.take_away()
    await until(lambda: llm.ready)
    assert llm.alive
    assert await read(llm.stream(*asked(1))) == undisturbed(*asked(1))


async def test_a_process_that_hangs_while_it_takes_over_is_replaced_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_deadline, "_LEAST", 0)
    llm = serve(step_deadline=0.3)
    stream = asyncio.create_task(read(llm.stream(*asked(1))))
    os.kill(worker(), signal.SIGKILL)
    await until(lambda: not llm.ready and len(workers()) == 1)
    os.kill(worker(), signal.SIGSTOP)
    assert await stream == undisturbed(*asked(1))
    assert llm.stats().deaths["hang"]


async def test_requests_that_come_while_there_is_no_process_are_answered_by_the_next(
    serve: Serve,
) -> None:
    """As many as would have been taken otherwise; more are refused."""
    llm = serve(max_sequences=4, max_waiting=4)
    os.kill(worker(), signal.SIGKILL)
    await until(lambda: not llm.ready)
    requests = [asked(number) for number in range(8)]
    streams = [asyncio.create_task(read(llm.stream(*request))) for request in requests]
    await asyncio.sleep(0)  # lets them ask
    with pytest.raises(CapacityExceeded) as refusal:
        await read(llm.stream(*asked(9)))
    assert refusal.value.retry_after
    assert await asyncio.gather(*streams) == [undisturbed(*request) for request in requests]


async def test_where_weights_are_shared_a_spare_process_takes_over(
    serve: Serve, obstacle: Obstacle
) -> None:
    """And is followed by another spare; that a spare was killed too delays it, and no more."""
    llm = serve(factory="support.mortal_engine:sharing_core")
    await until(lambda: len(workers()) == 2)
    request = asked(11)
    stream = asyncio.create_task(read(llm.stream(*request)))
    first, spare = workers()
    await until(lambda: Path(f"{obstacle.path}.{spare}").exists() and sleeps(spare))
    os.kill(first, signal.SIGKILL)
    await recovered(llm, 1)
    assert workers()[0] == spare
    await until(lambda: len(workers()) == 2)
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    await recovered(llm, 2)
    assert await stream == undisturbed(*request)


async def test_a_spare_process_that_dies_is_reaped_and_replaced(serve: Serve) -> None:
    serve(factory="support.mortal_engine:sharing_core")
    await until(lambda: len(workers()) == 2)
    _, spare = workers()
    os.kill(spare, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{spare}").exists())
    await until(lambda: len(workers()) == 2)


async def test_a_spare_process_that_is_stuck_while_it_loads_keeps_nobody_waiting(
    serve: Serve,
) -> None:
    llm = serve(factory="support.mortal_engine:sharing_core")
    await until(lambda: len(workers()) == 2)
    first, spare = workers()
    os.kill(spare, signal.SIGSTOP)  # long before it is ready
    os.kill(first, signal.SIGKILL)
    assert await read(llm.stream(*asked(1))) == undisturbed(*asked(1))
    assert not lives(spare)


async def test_a_process_that_no_signal_ends_is_replaced_and_reaped_later(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that sleeps in a driver, or on a disk that does not answer."""
    llm = serve(step_deadline=0.3)
    stuck = worker()
    stream = asyncio.create_task(read(llm.stream(*asked(1))))
    with monkeypatch.context() as patch:
        patch.setattr(worker_process, "_DYING", 0.1)
        patch.setattr(subprocess.Popen, "kill", lambda _: None)
        os.kill(stuck, signal.SIGSTOP)
        await recovered(llm, 1)
    assert lives(stuck)
    assert await stream == undisturbed(*asked(1))
    os.kill(stuck, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{stuck}").exists())


async def test_what_can_never_be_answered_is_refused_here(serve: Serve) -> None:
    with pytest.raises(ContextTooLong):
        await read(serve().stream([97] * 9000, SamplingParams()))


async def test_closing_a_stream_frees_its_blocks(serve: Serve) -> None:
    llm = serve()
    stream = llm.stream([97], SamplingParams(max_tokens=4000))
    await anext(stream)
    await stream.aclose()
    await until(lambda: llm.stats().free_blocks == llm.stats().total_blocks)
    assert llm.stats().generated_tokens < 4000


async def test_draining_ends_every_stream(serve: Serve) -> None:
    llm = serve()
    short, long = asked(3), ([97], SamplingParams(max_tokens=4000))
    streams = [asyncio.create_task(read(llm.stream(*request))) for request in (short, long)]
    await until(lambda: llm.stats().running == 2)
    await llm.drain(grace=0.2)
    answers = await asyncio.gather(*streams, return_exceptions=True)
    assert isinstance(answers[1], ServiceUnavailable)
    with pytest.raises(ServiceUnavailable):
        await read(llm.stream(*short))


async def test_closing_leaves_no_process_behind(serve: Serve) -> None:
    llm = serve()
    pid = worker()
    stream = llm.stream([97], SamplingParams(max_tokens=4000))
    await anext(stream)
    llm.close()
    assert not lives(pid)
    with pytest.raises(ServiceUnavailable):
        await read(stream)
    assert not llm.alive
    assert not llm.ready


def test_its_process_dies_with_the_server(tmp_path: Path) -> None:
    """Even with one that is killed, and even if it is busy."""
    script = (
        "import time; from stormproof.engine import EngineConfig;"
        "from stormproof.engine.supervised.supervisor import Supervisor;"
        f"Supervisor(EngineConfig(model={str(tmp_path / 'x')!r}), factory={FACTORY!r});"
        "print('up', flush=True); time.sleep(600)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environ
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        [pid] = workers(server.pid)
        os.kill(pid, signal.SIGSTOP)
        server.kill()
    while lives(pid):
        time.sleep(0.001)


async def test_a_terminal_s_signals_are_for_the_server_alone(serve: Serve) -> None:
    """Also while a process starts, and does not yet ignore them."""
    serve()
    assert os.getsid(worker()) != os.getsid(0)


async def test_signals_that_are_meant_for_the_server_do_not_end_its_process(serve: Serve) -> None:
    """Ctrl-C and a service's SIGTERM reach every process: the server still has to drain."""
    llm = serve()
    for meant_for_the_server in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker(), meant_for_the_server)
    assert (await read(llm.stream(*asked(2)))).finish_reason in set(FinishReason)
    assert not llm.stats().deaths
