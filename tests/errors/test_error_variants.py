"""Every variant of the error models that this one unites has one class, and loses nothing."""

import csv
from collections import Counter
from pathlib import Path

import pytest

import stormproof.errors as face
from stormproof.errors import StormproofError

TABLE = Path(__file__).parents[2] / "docs" / "error_variants.csv"

with TABLE.open(encoding="utf-8", newline="") as file:
    VARIANTS = list(csv.DictReader(file))

Variant = dict[str, str]

each_variant = pytest.mark.parametrize(
    "variant", VARIANTS, ids=lambda row: f"{row['system']}.{row['group']}.{row['variant']}"
)


def class_of(variant: Variant) -> type[StormproofError]:
    cls: type[StormproofError] = getattr(face, variant["class"])
    return cls


def test_every_variant_is_listed_once() -> None:
    """As many as each source has, and none twice."""
    assert Counter(f"{row['system']}.{row['group']}" for row in VARIANTS) == {
        "nano-vllm.Error": 9,
        "llm-config-manager.ConfigError": 13,
        "llm-config-manager.RbacError": 6,
        "llm-config-manager.CryptoError": 6,
        "llm-config-manager.AuditError": 5,
        "llm-config-manager.CacheError": 6,
        "llm-config-manager.http": 6,
        "octollm.ValidationError": 6,
        "octollm.ResourceError": 3,
        "octollm.SystemError": 4,
        "octollm.ExternalError": 3,
        "octollm.ReflexError": 7,
        "synapse.SynapseError": 19,
        "surfing-weights.exceptions": 5,
        "surfing-weights.foreign": 5,
    }
    assert len({(row["system"], row["group"], row["variant"]) for row in VARIANTS}) == 103


@each_variant
def test_it_has_one_class(variant: Variant) -> None:
    """The class is a leaf with a code of its own."""
    cls = class_of(variant)

    assert issubclass(cls, StormproofError)
    assert face.known_errors()[cls.code] is cls


@each_variant
def test_its_fields_are_carried(variant: Variant) -> None:
    """Each is a field of the class, by its own name or the one that is noted, or the cause."""
    noted = dict(pair.split("=") for pair in variant["carried"].split(";") if pair)
    fields = [name for name in variant["fields"].split(";") if name]

    carried = {noted.get(name, name) for name in fields}

    assert noted.keys() <= set(fields)
    assert carried <= class_of(variant).fields().keys() | {"cause"}
    assert len(carried) == len(fields)


@each_variant
def test_its_code_is_kept(variant: Variant) -> None:
    assert variant["code"] in {"", class_of(variant).code}


@each_variant
def test_its_status_is_kept_unless_a_decision_says_why_not(variant: Variant) -> None:
    status = str(class_of(variant).http_status)

    assert variant["status"] in {"", status} or status in variant["decision"]


@each_variant
def test_what_could_be_tried_again_still_can(variant: Variant) -> None:
    assert class_of(variant).retriable or not variant["retriable"]
