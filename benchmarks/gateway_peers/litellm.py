"""LiteLLM's proxy, one worker, without a database and callbacks."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from engine_peers import Missing
from engine_peers.process import BUILD
from gateway_peers.gateway import CALL_SECONDS, RETRIES, Gateway, Model

VARIABLE: Final = "STORMPROOF_BENCH_LITELLM"
ENVIRONMENT: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would download it
    "LITELLM_TELEMETRY": "False",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # checking one takes time
}


def program() -> Path:
    """Return its command.

    Raises:
        Missing: There is none.
    """
    path = Path(os.environ.get(VARIABLE, BUILD / "peers/litellm/bin/litellm"))
    if not path.exists():
        raise Missing(f"no {path}; see {VARIABLE}")
    return path


def gateway() -> Gateway:
    path = program()

    def command(port: int, models: Sequence[Model]) -> list[str]:
        settings = BUILD / "bench" / "litellm.yaml"  # JSON is YAML too
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(_settings(models)))
        return [str(path), "--config", str(settings), "--host", "127.0.0.1", "--port", str(port)]

    return Gateway("LiteLLM", command, environment=ENVIRONMENT)


def _settings(models: Sequence[Model]) -> dict[str, Any]:
    deployments = [
        {"model_name": name, "litellm_params": {**_PARAMETERS, "api_base": url}}
        for model in models
        for name, url in zip(_names(model), model.urls, strict=True)
    ]
    fallbacks = [{model.name: _names(model)[1:]} for model in models if len(model.urls) > 1]
    return {
        "model_list": deployments,
        "litellm_settings": {
            "num_retries": RETRIES,
            "request_timeout": CALL_SECONDS,
            "fallbacks": fallbacks,
        },
    }


_PARAMETERS: Final = {"model": "openai/scripted", "api_key": "none"}


def _names(model: Model) -> list[str]:
    """Name each of a model's targets; what clients ask for is the first."""
    return [model.name, *(f"{model.name}-{place}" for place in range(1, len(model.urls)))]
