"""Fetching a model from the Hugging Face hub, by its own client.

The client brings the user's token, mirror (``HF_ENDPOINT``) and proxies, and resumes. Of a
repository only data is taken: configuration, tokenizer and safetensors; never a pickle, which
could run code, and never code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from stormproof.errors import (
    ConfigurationError,
    ModelNotFound,
    NetworkError,
    ServiceUnavailable,
    StormproofError,
    Unauthorized,
    parse_retry_after,
)
from stormproof.weights.disk import storing
from stormproof.weights.local import checked_model
from stormproof.weights.progress import PullProgress, Report, Stage
from stormproof.weights.record import InstalledModel

_TAKEN: Final = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt")
# Folders hold the same weights again, in other formats. But 1_Pooling says how a model of
# sentence-transformers makes one vector of many.
_LEFT: Final = ("[!1]*/*", "1[!_]*/*")
_BYTES_ON_DISK: Final = "huggingface_hub.snapshot_download"


def fetch_from_hub(name: str, folder: Path, report: Report) -> InstalledModel:
    """Bring the newest revision of a repository into ``folder``, continuing what was begun there.

    Args:
        name: Hugging Face id: ``owner/name``.
        folder: Where to; it exists.
        report: Hears of the progress, from several threads.

    Raises:
        ModelNotFound: The hub has no such repository, or does not show it to this user.
        Unauthorized: The repository is open only to those who accepted its conditions.
        ModelLoadError: The repository holds no model in safetensors.
        NetworkError: The hub cannot be reached.
        DiskFull: The model does not fit.
    """
    with storing("keep the model", folder), _failures_of_hub(name):
        # Asking for the revision first also keeps the client from passing off a folder that is
        # half full as the model when the hub cannot be reached.
        revision = HfApi().model_info(name).sha
        snapshot_download(
            name,
            revision=revision,
            local_dir=folder,
            allow_patterns=list(_TAKEN),
            ignore_patterns=list(_LEFT),
            tqdm_class=_reporting_to(report),
        )
    return _recorded(name, folder, revision)


def _recorded(name: str, folder: Path, revision: str | None) -> InstalledModel:
    size = sum(file.stat().st_size for file in checked_model(folder).rglob("*") if file.is_file())
    source = f"huggingface {name} {(revision or '')[:12]}".rstrip()
    model = InstalledModel(name=name, source=source, licence=None, size=size, folder=folder)
    model.write()
    return model


def _reporting_to(report: Report) -> type[tqdm]:
    """Return a progress bar class for the client that draws nothing and reports its bytes."""

    class Reporting(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            self._counts = settings.get("name") == _BYTES_ON_DISK and settings.get("unit") == "B"
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if self._counts:
                total = int(self.total) if self.total else None
                report(PullProgress(Stage.DOWNLOADING, int(self.n), total))

    return Reporting


@contextmanager
def _failures_of_hub(name: str) -> Iterator[None]:
    """Turn what the client raises into typed errors, the most specific first."""
    try:
        yield
    except GatedRepoError as error:
        reason = f"{name} is open to those who accepted its conditions; set HF_TOKEN"
        raise Unauthorized(reason=reason) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFound(model=name) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise NetworkError(reason="the Hugging Face hub cannot be reached") from error
    except HfHubHTTPError as error:
        raise _refusal(error.response, name) from error
    except httpx2.HTTPError as error:
        raise NetworkError(reason=f"the Hugging Face hub cannot be reached: {error}") from error


def _refusal(response: httpx2.Response, name: str) -> StormproofError:
    status = response.status_code
    if status in {401, 403}:
        return Unauthorized(reason=f"the Hugging Face hub refuses {name} ({status}); set HF_TOKEN")
    if status >= 500 or status in {408, 429}:  # noqa: PLR2004 - the server's own troubles
        wait = parse_retry_after(response.headers.get("retry-after", ""))
        return ServiceUnavailable(reason=f"{response.url.host} answered {status}", retry_after=wait)
    return ConfigurationError(setting="HF_ENDPOINT", reason=f"{response.url.host}: {status}")
