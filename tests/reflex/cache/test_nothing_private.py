"""Nothing in which something private was found reaches a store: neither a file nor Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from stormproof.reflex.cache import AnswerStore, CacheStage, KnownAnswers, SqliteAnswers
from stormproof.reflex.cache.redis import RedisAnswers
from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.policy import PiiAction, PiiPolicy
from stormproof.reflex.pii.stage import PiiStage
from support.kept_answers import SECRET, House, answer, asked
from support.redis_server import RedisServer

IBAN = "DE89 3704 0044 0532 0130 00"
PRIVATE = f"My account is {IBAN}"
OPEN = "Tell me of the weather"
Place = tuple[AnswerStore, Callable[[], Iterator[bytes]]]


@pytest.fixture(params=["file", "redis"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, redis: RedisServer
) -> AsyncIterator[Place]:
    """A store, and all that lies in it."""
    if request.param == "file":
        file = SqliteAnswers(tmp_path / "answers")
        yield file, lambda: (path.read_bytes() for path in tmp_path.iterdir())
        return
    prefix = str(uuid4())
    shared = RedisAnswers(redis.url, prefix=prefix)

    def dumped() -> Iterator[bytes]:
        with redis.client() as client:
            client.connection_pool.connection_kwargs["decode_responses"] = False
            for key in client.scan_iter(f"{prefix}:*"):
                yield key + client.get(key)

    yield shared, dumped


def house(store: AnswerStore, action: PiiAction, said: str) -> House:
    known = KnownAnswers(store, secret=SECRET)
    pii = PiiStage(Detector(), policy=PiiPolicy(action), answers=True)
    return House([CacheStage(known, guard="g"), pii], answer(said))


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("action", [PiiAction.REDACT, PiiAction.REPORT])
@pytest.mark.parametrize("said", ["It is noted.", PRIVATE])
async def test_what_is_private_is_in_no_store(
    place: Place, action: PiiAction, said: str, streams: bool
) -> None:
    """Whether it was asked or answered; while what is not private is there."""
    store, lying = place
    await house(store, action, "Rain and wind").ask(asked(OPEN))
    await house(store, action, said).ask(asked(PRIVATE, stream=streams))
    await house(store, action, PRIVATE).ask(asked("What is my account?", stream=streams))
    await store.aclose()
    kept = b"".join(lying())
    assert b"Rain and wind" in kept
    assert b"noted" not in kept
    for part in (IBAN, IBAN.replace(" ", ""), "3704 0044", "370400440532", OPEN):
        assert part.encode() not in kept
