"""A file is understood, or everything that is wrong with it is named, with its line."""

from collections.abc import Callable
from pathlib import Path
from traceback import format_exception

import pytest

from stormproof.errors import ConfigurationError, StorageError
from stormproof.providers.chat import Capability
from stormproof.providers.settings.reading import read_models
from stormproof.providers.settings.schema import (
    AnswerRung,
    CachedRung,
    EngineRung,
    ModelRung,
    ModelsFile,
)
from stormproof.recovery import FailoverOrder

Read = Callable[[str], ModelsFile]

SECRET = "k3y" * 9

WHOLE = """\
[serve]
port = 9000

[providers.openai]
key_env = "OUR_KEY"

[providers.house]
preset = "openai-compatible"
url = "http://10.0.0.5:8000/v1/"

[models.chat]
deadline = 30.0
order = "weighted"
stream = "fail"
rungs = [
  { provider = "openai", model = "gpt-5-mini", deadline = 10, weight = 3, capabilities = ["tools"], price = { input = 0.25, output = 2 } },
  { provider = "house", model = "llama", prefill = true },
  { provider = "anthropic", model = "claude-sonnet-4-5" },
  { engine = true },
  { cached = true, max_age = 60.0 },
  { answer = "Sorry." },
]
"""  # noqa: E501 - a table in a line is one line


def refused(read: Read, text: str) -> list[str]:
    """The lines of the error that a text gets."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return caught.value.reason.split("\n")


def test_a_file_says_who_may_answer(read: Read) -> None:
    chat = read(WHOLE).models["chat"]
    assert (chat.deadline, chat.order, chat.stream) == (30.0, FailoverOrder.WEIGHTED, "fail")
    first, *_ = chat.rungs
    assert isinstance(first, ModelRung)
    assert (first.name, first.weight) == ("openai/gpt-5-mini", 3.0)
    assert first.capabilities == {Capability.TOOLS}
    kinds = [ModelRung, ModelRung, ModelRung, EngineRung, CachedRung, AnswerRung]
    assert [type(rung) for rung in chat.rungs] == kinds


def test_a_file_may_say_nothing_of_models(read: Read) -> None:
    assert read("[serve]\nport = 1\n") == ModelsFile()


RUNG = '[models.m]\nrungs = [{{ provider = "openai", model = "x", {} }}]'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[modles.m]", "1: there is no such key; did you mean 'models'? (modles)"),
        (
            '[providers.openai]\nulr = "x"',
            "2: there is no such key; did you mean 'url'? (providers.openai.ulr)",
        ),
        (
            RUNG.format("dedline = 1"),
            "2: there is no such key; did you mean 'deadline'? (models.m.rungs[0].dedline)",
        ),
        (
            RUNG.format("price = { inptu = 1, input = 1, output = 1 }"),
            "2: there is no such key; did you mean 'input'? (models.m.rungs[0].price.inptu)",
        ),
        (
            "[models.m]\nrungs = [{ cached = true, max_aeg = 1 }]",
            "2: there is no such key; did you mean 'max_age'? (models.m.rungs[0].max_aeg)",
        ),
        ("[models.m]\nzzz = 1\nrungs = [{ engine = true }]", "2: there is no such key"),
        (
            RUNG.replace("openai", "openia").format("weight = 1"),
            "2: there is no provider 'openia'; did you mean 'openai'? (models.m.rungs[0].provider)",
        ),
        (
            '[providers.house]\npreset = "vlm"',
            "2: there is no preset 'vlm'; did you mean 'vllm'? (providers.house.preset)",
        ),
        (
            '[providers.house]\nurl = "http://h"',
            "1: there is no preset 'house' (providers.house.preset)",
        ),
        ("[providers.azure]", "1: needs a url (providers.azure)"),
        (
            RUNG.replace("openai", "azure").format("weight = 1"),
            "2: needs a url in [providers.azure] (models.m.rungs[0].provider)",
        ),
        ('[models.m]\nrungs = [{ provider = "openai" }]', "2: Field required"),
        ("[models.m]\nrungs = []", "2: must hold somebody who answers (models.m.rungs)"),
        ("[models.m]", "1: Field required (models.m.rungs)"),
        ("[models.m]\nrungs = [{ modle = 1 }]", "2: must be a table with one of these keys"),
        ("[models.m]\nrungs = [7]", "2: must be a table with one of these keys"),
        ("[models.m]\nrungs = [{ engine = false }]", "2: Input should be True"),
        (
            '[models.m]\nrungs = [{ answer = "A" },\n{ engine = true }]',
            "3: is never asked: an answer before it answers everything (models.m.rungs[1])",
        ),
        ("[models.m]\n[models.m]", "2: this is not TOML: Cannot declare ('models', 'm') twice"),
        ("a = [1,\n2,\n", "2: this is not TOML: Invalid value"),
        (
            "[models.m]\nrungs = [{ engine = true },\n{ engine = true }]",
            "3: engine is there twice (models.m.rungs[1])",
        ),
        (RUNG.format("deadline = -1"), "2: Input should be greater than 0"),
        (RUNG.format("deadline = nan"), "2: Input should be"),
        (RUNG.format("deadline = inf"), "2: Input should be"),
        (RUNG.format("concurrency = true"), "2: Input should be a valid integer"),
        (RUNG.format('capabilities = ["flying"]'), "2: Input should be 'tools', 'vision'"),
        ('[providers.openai]\nurl = "ftp://x"', "2: a URL must be http(s)://"),
        ('[providers.openai]\nurl = "http://h/v1?key=1"', "2: must end with its path"),
        ('[providers.openai]\nkey_header = "a b"', "2: String should match pattern"),
        ('[providers."a/b"]\npreset = "vllm"', "1: String should match pattern"),
        ("models = 1", "1: Input should be a valid dictionary (models)"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read: Read, text: str, told: str) -> None:
    """And with what was probably meant."""
    [line] = refused(read, text)
    assert line.startswith(f"stormproof.toml:{told}")


def test_everything_that_is_wrong_is_named(read: Read) -> None:
    text = '[providers.openai]\nulr = "x"\n[models.m]\ndeadline = 0\nrungs = [{}]'
    assert [line[:18] for line in refused(read, text)] == [
        "stormproof.toml:2:",
        "stormproof.toml:4:",
        "stormproof.toml:5:",
    ]


def test_a_file_full_of_mistakes_gets_a_list_that_one_can_read(read: Read) -> None:
    text = "[models.m]\nrungs = [{ engine = true }]\n" + "".join(f"k{n} = 1\n" for n in range(50))
    lines = refused(read, text)
    assert (len(lines), lines[-1]) == (21, "and 30 more")


@pytest.mark.parametrize(
    "text",
    [
        '[providers.openai]\napi_key = "sk-{}"',
        '[providers.openai]\nkey = "sk-{}"',
        '[providers.openai]\nkey_env = "gsk_{}"',
        '[providers.openai]\nurl = "https://user:{}@host/v1"',
        '[providers.openai]\nurl = "https://host/v1?key={}"',
        '[providers.openai]\nheaders = {{ Authorization = "Bearer {}" }}',
        '[providers.openai]\nkey_prefix = "\\u0001{}"',
        'key = "{}',
    ],
)
def test_a_key_in_the_file_is_refused_and_not_repeated(read: Read, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text.format(SECRET))
    assert SECRET not in "".join(format_exception(caught.value))


@pytest.mark.parametrize("name", ["api_key", "key", "token"])
def test_who_writes_a_key_there_learns_where_it_belongs(read: Read, name: str) -> None:
    [line] = refused(read, f'[providers.openai]\n{name} = "sk-1"')
    assert line == (
        "stormproof.toml:2: keys are not written here: use key_env or key_file"
        f" (providers.openai.{name})"
    )


@pytest.mark.parametrize(
    "content", [b"= 1", b"\xff", b"#" * (1 << 20) + b"\n", b"a = " + b"[" * 9999]
)
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "stormproof.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^configuration error: stormproof\.toml"):
        read_models(file)


def test_a_file_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"read stormproof\.toml"):
        read_models(tmp_path / "stormproof.toml")


HOSTED = """\
[providers.tei]
preset = "openai-compatible"
url = "http://10.0.0.5:8080/v1"

[embeddings.text]
order = "fastest"
rungs = [
  { provider = "tei", model = "all-MiniLM-L6-v2", batch = 32, concurrency = 4 },
  { embedder = "minilm", space = "all-MiniLM-L6-v2" },
]
"""


def test_a_file_says_who_hosts_an_embedding_model(read: Read) -> None:
    models = read(HOSTED)
    text = models.embeddings["text"]
    assert [rung.name for rung in text.rungs] == ["tei/all-MiniLM-L6-v2", "minilm"]
    assert [rung.vectors for rung in text.rungs] == ["all-MiniLM-L6-v2"] * 2
    assert text.order is FailoverOrder.FASTEST
    assert models.embedders == {"minilm"}


def test_a_folder_of_this_machine_is_in_no_name(read: Read) -> None:
    models = read('[embeddings.text]\nrungs = [{ embedder = "/srv/models/minilm" }]')
    [rung] = models.embeddings["text"].rungs
    assert (rung.name, rung.vectors) == ("minilm", "minilm")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            HOSTED.replace(', space = "all-MiniLM-L6-v2"', ""),
            "9: gives vectors of 'minilm', and the first rung those of 'all-MiniLM-L6-v2': they",
        ),
        (
            HOSTED.replace("batch", "bacht"),
            "8: there is no such key; did you mean 'batch'? (embeddings.text.rungs[0].bacht)",
        ),
        (HOSTED.replace("order", "ordre"), "6: there is no such key; did you mean 'order'?"),
        (HOSTED.replace('"tei", model', '"tie", model'), "8: there is no provider 'tie'"),
        (
            HOSTED.replace('"tei", model', '"anthropic", model'),
            "8: there are no vectors in its API (embeddings.text.rungs[0].provider)",
        ),
        (
            HOSTED + "[models.text]\nrungs = [{ engine = true }]",
            "5: there is a model 'text' that converses (embeddings.text)",
        ),
        ("[embeddings.text]\nrungs = []", "2: must hold somebody who answers"),
        ("[embeddings.text]\nrungs = [{ engine = true }]", "2: must be a table with one of"),
    ],
)
def test_vectors_that_nobody_could_compare_are_refused(read: Read, text: str, told: str) -> None:
    """And whatever else is wrong with who hosts them."""
    line, *_ = refused(read, text)
    assert line.startswith(f"stormproof.toml:{told}")
