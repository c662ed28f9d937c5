"""Kinds of error, and how bad one is."""

import logging

import pytest

from stormproof.errors import Category, Severity


@pytest.mark.parametrize("severity", Severity)
def test_a_severity_is_a_logging_level(severity: Severity) -> None:
    """``logger.log(error.severity, error)`` needs no table."""
    assert logging.getLevelName(severity) == severity.name


def test_severities_are_ordered() -> None:
    assert sorted(Severity) == [
        Severity.DEBUG,
        Severity.INFO,
        Severity.WARNING,
        Severity.ERROR,
        Severity.CRITICAL,
    ]


def test_there_are_four_families() -> None:
    assert [str(category) for category in Category] == [
        "client",
        "resource",
        "platform",
        "external",
    ]
