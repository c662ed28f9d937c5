"""Makes most fuzzed requests name the model that is served; the rest name what they like."""

import os
from typing import Any

import schemathesis


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("model"), str) and len(body["model"]) < 40:
        return {**body, "model": os.environ["STORMPROOF_FUZZ_MODEL"]}
    return body
