"""The tables of ``stormproof.toml`` that say who hosts an embedding model."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from stormproof.providers.settings.provider_rung import ProviderRung
from stormproof.providers.settings.tables import (
    MOST_RUNGS,
    Count,
    ModelName,
    Seconds,
    Table,
    Weight,
    kind_of,
    not_empty,
)
from stormproof.recovery import FailoverOrder


class EmbeddingRung(ProviderRung):
    """A provider's host of an embedding model."""

    space: ModelName | None = Field(
        default=None,
        description="Whose vectors these are; by default those of `model`. The same in all rungs.",
    )
    batch: Count | None = Field(
        default=None, description="Most texts in one call; more are sent in several."
    )

    @property
    def vectors(self) -> str:
        """Whose vectors it gives."""
        return self.space or self.model


class EmbedderRung(Table):
    """An embedding model in this process."""

    embedder: ModelName = Field(description="The model to load: a name, folder or Hugging Face id.")
    space: ModelName | None = Field(
        default=None, description="Whose vectors these are; by default those of `embedder`."
    )
    deadline: Seconds = Field(default=60.0, description="As for a provider's model.")
    weight: Weight = Field(default=1.0, description="As for a provider's model.")

    @property
    def name(self) -> str:
        """What headers, events and errors call it: no folder of this machine."""
        return PurePath(self.embedder).name

    @property
    def vectors(self) -> str:
        """Whose vectors it gives."""
        return self.space or self.name


EMBEDDING_RUNGS: Final[Mapping[str, type[Table]]] = {
    "provider": EmbeddingRung,
    "embedder": EmbedderRung,
}
"""The kinds of rungs that embed, by the key that tells them apart."""

EmbeddingRungSettings: TypeAlias = Annotated[
    Annotated[EmbeddingRung, Tag("provider")] | Annotated[EmbedderRung, Tag("embedder")],
    Discriminator(
        lambda rung: kind_of(rung, EMBEDDING_RUNGS),
        custom_error_type="rung_kind",
        custom_error_message="must be a table with one of these keys: "
        + ", ".join(EMBEDDING_RUNGS),
    ),
]


class EmbeddingSettings(Table):
    """A table ``[embeddings.NAME]``: who hosts an embedding model, the best first."""

    deadline: Seconds = Field(default=600.0, description="Seconds for everything together.")
    order: FailoverOrder = Field(
        default=FailoverOrder.LISTED,
        description="Who is asked first: `listed`, `weighted` or `fastest`.",
    )
    dimensions: Count | None = Field(
        default=None,
        description="Numbers of a vector, where a request does not say; others are refused.",
    )
    rungs: Annotated[
        tuple[EmbeddingRungSettings, ...], Field(max_length=MOST_RUNGS), BeforeValidator(not_empty)
    ] = Field(description="Who hosts the model; all of them the same one.")
