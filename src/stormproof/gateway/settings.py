"""What the server runs with: flag > environment > file > default."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from stormproof.errors import ConfigurationError

ENV_PREFIX: Final = "STORMPROOF_"
DEFAULT_FILE: Final = Path("stormproof.toml")
TABLE: Final = "serve"
"""The table of ``stormproof.toml`` that holds these settings."""


class Settings(BaseSettings):
    """Every setting of ``stormproof serve``; the field names are those of flags and file keys."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    config: Path | None = Field(
        None, description="TOML file; by default stormproof.toml in the working folder, if any."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")

    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that answer; more than one where nothing is computed here.",
    )

    model: str = Field(
        "smollm2", min_length=1, description="Model name, folder, GGUF file or Hugging Face id."
    )
    model_name: str | None = Field(
        None, min_length=1, description="Name that clients use; by default made from the model."
    )
    adapter: str | None = Field(
        None, min_length=1, description="Folder of a LoRA adapter to merge into the model."
    )
    embedding_model: str | None = Field(
        None,
        min_length=1,
        description="Embedding model: a name, folder or Hugging Face id; by default none.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to compute.")
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int4"] = Field(
        "auto", description="Number format of the weights."
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads; by default one for each core."
    )

    tensor_parallel: int = Field(
        1, ge=1, le=64, description="Processes that share the model, each with a GPU of its own."
    )
    block_size: int = Field(16, ge=1, le=1024, description="Tokens per KV cache block.")
    num_blocks: int | None = Field(
        None, ge=1, description="KV cache blocks; by default as many as cache_bytes hold."
    )
    cache_bytes: int = Field(1 << 30, ge=1, description="Memory for the KV cache.")
    max_sequences: int = Field(32, ge=1, le=4096, description="Requests computed at once.")
    max_step_tokens: int = Field(512, ge=1, le=65536, description="Tokens computed in one step.")
    max_waiting: int = Field(256, ge=0, le=100_000, description="Requests that may queue.")
    max_waiting_tokens: int = Field(
        262_144, ge=1, description="Prompt tokens that may queue, over all requests."
    )
    prefix_cache: bool = Field(
        True, description="Compute a beginning once that prompts have in common."
    )
    speculation: Literal["auto", "off"] = Field(
        "auto", description="Guess tokens and verify several at once, where that is faster."
    )
    draft_model: str | None = Field(
        None,
        min_length=1,
        description="Smaller model with the same vocabulary that guesses: a name, folder, GGUF file"
        " or Hugging Face id; by default guesses come from what was said before.",
    )
    step_deadline: float = Field(
        60, gt=0, description="Seconds after which a step of the engine counts as hung."
    )

    max_body_bytes: int = Field(4 << 20, ge=1024, description="Largest request body.")
    max_prompt_chars: int = Field(400_000, ge=1, description="Longest prompt, before tokens.")
    max_tokens: int = Field(4096, ge=1, description="Most new tokens that a request may ask for.")
    default_max_tokens: int = Field(
        512, ge=1, description="New tokens for a request that names no number, if they fit."
    )
    default_temperature: float = Field(
        0.2, ge=0, le=2, description="Temperature for a request that names none."
    )
    max_choices: int = Field(8, ge=1, le=128, description="Most answers that one request may get.")
    request_timeout: float = Field(
        600, gt=0, description="Seconds after which a request is ended with a typed error."
    )
    drain_timeout: float = Field(
        30, ge=0, description="Seconds that running requests get to finish on SIGTERM."
    )

    api_key: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Keys that clients may send, joined by commas; none lets everyone in."
    )
    api_key_file: Path | None = Field(
        None, description="File with one key a line; empty lines and # comments are skipped."
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (),
        description="Addresses or networks, joined by commas, of proxies whose `x-forwarded-for`"
        " tells from where a request comes; by default nobody's.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much to log."
    )

    @property
    def served_name(self) -> str:
        """What clients call the model of this process."""
        return self.model_name or Path(self.model).name.removesuffix(".gguf")

    @field_validator("api_key", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put flags before the environment before the file."""
        table = _read_table(init_settings())
        return (init_settings, env_settings, InitSettingsSource(settings_cls, table))


def load_settings(flags: Mapping[str, Any]) -> Settings:
    """Layer flags over the environment over the file over the defaults.

    Args:
        flags: What the command line gave, by setting; None means not given.

    Raises:
        ConfigurationError: A value is wrong, or the file is; all wrong values are named, each
            with where it came from.
        StorageError: The file cannot be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except (ValidationError, SettingsError) as error:
        raise _named(error, given) from None  # the original would print values, keys among them


def _file(given: Mapping[str, Any]) -> Path | None:
    """Return the file that was named, or the one that is there by itself."""
    named = given.get("config") or os.environ.get(f"{ENV_PREFIX}CONFIG")
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _read_table(given: Mapping[str, Any]) -> dict[str, Any]:
    file = _file(given)
    if file is None:
        return {}
    from stormproof.providers.settings.document import read_document  # noqa: PLC0415 - heavy

    _, document = read_document(file)
    table = document.get(TABLE, {})
    if not isinstance(table, dict):
        raise ConfigurationError(setting=TABLE, reason=f"must be a table ({_line(file)})")
    return table


def _line(file: Path, *name: str) -> str:
    """Return where a setting stands, or the table of all."""
    from stormproof.providers.settings.document import read_document  # noqa: PLC0415 - heavy
    from stormproof.providers.settings.locating import line_of  # noqa: PLC0415

    text, _ = read_document(file)
    return f"{file.name}:{line_of(text, [TABLE, *name])}"


def _named(error: ValidationError | SettingsError, given: Mapping[str, Any]) -> ConfigurationError:
    if isinstance(error, SettingsError):
        return ConfigurationError(reason=str(error))
    problems = {
        str(problem["loc"][0]): str(problem["msg"])
        for problem in error.errors(include_input=False, include_url=False)
    }
    if len(problems) == 1:
        [(name, message)] = problems.items()
        return ConfigurationError(setting=name, reason=f"{message} ({_origin(name, given)})")
    listed = [f"{name}: {message} ({_origin(name, given)})" for name, message in problems.items()]
    return ConfigurationError(reason="; ".join(listed))


def _origin(name: str, given: Mapping[str, Any]) -> str:
    variable, file = f"{ENV_PREFIX}{name}".upper(), _file(given)
    if name in given:
        return f"from the flag --{name.replace('_', '-')}"
    return f"from {variable}" if variable in os.environ or not file else _line(file, name)
