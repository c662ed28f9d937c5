"""The models of ``stormproof.toml``, as the file says now."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from stormproof.errors import ConfigurationError
from stormproof.gateway.entrance import Entrance, entrance_to
from stormproof.gateway.settings import DEFAULT_FILE, Settings
from stormproof.providers import (
    ChatModel,
    EmbeddingLadder,
    EmbeddingModel,
    HttpClient,
    Kept,
    Ladder,
    LadderBuilder,
    ModelsFile,
    read_models,
)
from stormproof.providers.settings.faults import nearest
from stormproof.recovery import CircuitState
from stormproof.reflex.settings import ReflexTables, read_reflex, remembering

if TYPE_CHECKING:
    from stormproof.reflex.sql import Books

_MOST: Final = 1 << 20
"""Bytes of a file that are looked at: one with more is refused."""

Fingerprint: TypeAlias = Sequence[bytes | None]


class Found(NamedTuple):
    """What the file says.

    Attributes:
        models: Of models and providers.
        ladders: Who answers by that.
        embeddings: Who embeds by that.
        entrance: What requests have to pass by that, if that is anything.
        waiting: Settings of the server that are others than at its start.
    """

    models: ModelsFile
    ladders: Mapping[str, Ladder]
    embeddings: Mapping[str, EmbeddingLadder]
    entrance: Entrance | None
    waiting: Sequence[str]


class ServedModels:
    """Reads who may answer: at the start, and again whenever that may have changed.

    Args:
        settings: What the server runs with; it says which file.
        reload: Returns those settings as they are now.
        client: Calls providers.
        environment: Where the variables with keys are.
        books: Keys and usage, where there is a database.

    Attributes:
        ladders: Who answers now, by the names of models. Its content changes between two requests;
            one under way keeps its ladder.
        embeddings: Who embeds now; the same.
        as_read: The files, as they were when they were read last.

    Raises:
        ConfigurationError: The file makes no sense, or a key is missing.
        StorageError: The file, or one with a key, cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        reload: Callable[[], Settings],
        client: HttpClient,
        environment: Mapping[str, str],
        books: "Books | None" = None,
    ) -> None:
        self.ladders: Final[dict[str, Ladder]] = {}
        self.embeddings: Final[dict[str, EmbeddingLadder]] = {}
        self._settings = settings
        self._reload = reload
        self._client = client
        self._environment = environment
        self._books = books
        self._kept = Kept()
        self._engine: ChatModel | None = None
        self._embedders: Mapping[str, EmbeddingModel] = {}
        self._entrance: Entrance | None = None
        self._file = settings.config or DEFAULT_FILE
        self._needed = settings.config is not None
        self._key_files: Sequence[Path] = ()
        self.models = self._read()
        self._builder(self.models).hosted.check()
        tables = self._tables(self.models)
        self._kept_in = _kept_in(tables)
        self._entrance = self._entrance_of(tables, self.models)

    def begin(self, engine: ChatModel | None) -> Mapping[str, Ladder]:
        """Return who answers, from now on with the engine of this process, if there is one.

        Raises:
            ConfigurationError: A key is missing.
            StorageError: A file with a key cannot be read.
        """
        self._engine = engine
        self.ladders.update(self._builder(self.models).ladders())
        return self.ladders

    def host(self, embedders: Mapping[str, EmbeddingModel]) -> Mapping[str, EmbeddingLadder]:
        """Return who embeds, from now on with the embedding models of this process.

        Args:
            embedders: Those, by what the file calls them.

        Raises:
            ConfigurationError: A key is missing.
            StorageError: A file with a key cannot be read.
        """
        self._embedders = embedders
        self.embeddings.update(self._builder(self.models).embedding_ladders())
        return self.embeddings

    def entrance(self) -> Entrance | None:
        """Return what requests have to pass from now on, if that is anything."""
        return self._entrance

    def fingerprint(self) -> Fingerprint:
        """Return what tells whether the file, or one with a key, is another than before."""
        return [_digest(file) for file in (self._file, *self._key_files)]

    def find(self) -> Found:
        """Read the file once more; nothing changes by that.

        Raises:
            ConfigurationError: It makes no sense, a key is missing, or nobody would be left.
            StorageError: It, or a file with a key, cannot be read.
        """
        models, settings = self._read(), self._reload()
        builder = self._builder(models)
        ladders, embeddings = builder.ladders(), builder.embedding_ladders()
        if not (ladders or embeddings or self._engine):
            raise ConfigurationError(reason=f"{self._file.name} names no model")
        names = Settings.model_fields
        waiting = [one for one in names if getattr(settings, one) != getattr(self._settings, one)]
        tables = self._tables(models)
        if _kept_in(tables) != self._kept_in:
            waiting.append("reflex.database")
        entrance = self._entrance_of(tables, models)
        return Found(models, ladders, embeddings, entrance, waiting)

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the state of every circuit, by the name of whom it is about."""
        ladders: list[Ladder | EmbeddingLadder] = [
            *self.ladders.values(),
            *self.embeddings.values(),
        ]
        return {one.name: one.state for ladder in ladders for one in ladder.health()}

    def put(self, found: Found) -> bool:
        """Have requests answered as the file says from now on; return whether that is new."""
        now = (self.ladders, self.embeddings, self._entrance)
        new = (found.ladders, found.embeddings, found.entrance) != now
        self.models = found.models
        self._entrance = found.entrance
        self.ladders.clear()
        self.ladders.update(found.ladders)
        self.embeddings.clear()
        self.embeddings.update(found.embeddings)
        return new

    def _read(self) -> ModelsFile:
        # Files are looked at before they are read: what changes between is seen as a change.
        self.as_read = self.fingerprint()
        if not self._needed and not self._file.exists():
            return ModelsFile()
        models = read_models(self._file)
        self._needed = True  # one that vanishes is a mistake
        keys = [provider.key_file for provider in models.providers.values()]
        self._key_files = [file for file in keys if file]
        self.as_read = [self.as_read[0], *map(_digest, self._key_files)]
        return models

    def _tables(self, models: ModelsFile) -> ReflexTables | None:
        tables = read_reflex(self._file) if self._needed else None
        known = {*models.models, *models.embeddings, self._settings.served_name}
        known.add(Path(self._settings.embedding_model or "").name)
        for name in tables.models if tables else ():
            if name not in known:  # what was meant for a model would be in force for none
                reason = f"there is no model {name!r}{nearest(name, known)}"
                raise ConfigurationError(setting="reflex.models", reason=reason)
        return tables

    def _entrance_of(self, tables: ReflexTables | None, models: ModelsFile) -> Entrance | None:
        if tables is None and self._books is None:
            return None
        return entrance_to(
            remembering(tables or ReflexTables(), models),
            self._kept,
            self._environment,
            books=self._books,
            models=models,
            embeddings=self.embeddings,
        )

    def _builder(self, models: ModelsFile) -> LadderBuilder:
        return LadderBuilder(
            models,
            self._client,
            self._environment,
            engine=self._engine,
            embedders=self._embedders,
            kept=self._kept,
        )


def _kept_in(tables: ReflexTables | None) -> tuple[str | None, Path | None]:
    """Return where tables say that keys and usage are."""
    return (tables.database, tables.journals) if tables else (None, None)


def _digest(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            return blake2b(opened.read(_MOST + 1), digest_size=16).digest()
    except (OSError, ValueError):  # ValueError: no file can have such a name
        return None
