"""A provider may be asked through a proxy, or without one, whatever the environment says."""

from collections.abc import AsyncIterator, Callable

import pytest

from stormproof.errors import ConfigurationError
from stormproof.providers.chat import ChatRequest
from stormproof.providers.http.client import HttpClient
from stormproof.providers.http.proxies import Proxies
from stormproof.providers.settings.building import LadderBuilder
from stormproof.providers.settings.schema import ModelRung, ModelsFile
from stormproof.testing.provider import Answer, ScriptedProvider, text_of
from support.proxy import ProxyServer

Read = Callable[[str], ModelsFile]

PASSWORD = "pw-" + "p" * 20
HELLO = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as it:
        yield it


@pytest.fixture
async def proxy() -> AsyncIterator[ProxyServer]:
    running = ProxyServer()
    yield running
    running.stop()


async def answer(models: ModelsFile, environment: dict[str, str]) -> str:
    """Ask the one model of the settings as a server with this environment would."""
    client = HttpClient(proxy=Proxies(environment).of)
    builder = LadderBuilder(models, client, environment)
    rung = models.models["m"].rungs[0]
    assert isinstance(rung, ModelRung)
    try:
        return (await builder.hosted.model(rung).complete(HELLO)).text
    finally:
        client.close()


def settings(url: str, more: str = "") -> str:
    table = f'[providers.house]\npreset = "openai-compatible"\nurl = "{url}"\n{more}\n'
    return f'{table}[models.m]\nrungs = [{{ provider = "house", model = "m" }}]\n'


async def test_the_settings_may_name_it(
    read: Read, provider: ScriptedProvider, proxy: ProxyServer
) -> None:
    """Nobody but the proxy knows where provider.test is."""
    target = provider.target("house", Answer())
    at = await proxy.start(target.url)
    url = f"http://provider.test/{target.url.split('/', 3)[3]}"
    models = read(settings(url, f'proxy = "http://{at}"'))
    assert await answer(models, {"http_proxy": "http://127.0.0.1:9"}) == text_of(32)
    assert len(proxy.heads) == 1


async def test_so_may_the_environment_unless_they_want_none(
    read: Read, provider: ScriptedProvider, proxy: ProxyServer
) -> None:
    target = provider.target("house", Answer())
    at = await proxy.start(target.url)
    # Which is no loopback, and yet this machine.
    url = target.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104
    assert await answer(read(settings(url)), {"http_proxy": at}) == text_of(32)
    assert len(proxy.heads) == 1
    direct = read(settings(url, 'proxy = "none"'))
    assert await answer(direct, {"http_proxy": at}) == text_of(32)
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        (f"http://user:{PASSWORD}@proxy:3128", "use the variable HTTPS_PROXY"),
        (f"socks5://{PASSWORD}", "must be http://host:port"),
        ("http://[proxy", "is none"),
    ],
)
def test_one_that_makes_no_sense_is_refused(read: Read, proxy: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(settings("http://127.0.0.1:9/v1", f'proxy = "{proxy}"'))
    assert message in caught.value.reason
    assert PASSWORD not in str(caught.value)
