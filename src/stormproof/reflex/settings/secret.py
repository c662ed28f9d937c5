"""Secrets that settings name, and none that they hold."""

from collections.abc import Mapping

from stormproof.errors import ConfigurationError


def secret_in(environment: Mapping[str, str], variable: str, setting: str) -> bytes:
    """Return the secret in a variable.

    Args:
        environment: Where it is.
        variable: The variable.
        setting: What needs it.

    Raises:
        ConfigurationError: It is empty.
    """
    secret = environment.get(variable, "").strip()
    if not secret:
        raise ConfigurationError(setting=setting, reason=f"the variable {variable} is empty")
    return secret.encode()
