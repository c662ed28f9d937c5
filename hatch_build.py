"""Compiles the native step into the package, where there is a C++ compiler.

Without one the package is still whole: the step is compiled at first use, or PyTorch computes.
"""

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = "src/stormproof/engine/native"


class NativeStep(BuildHookInterface):
    """Puts the library of the native step into a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile it, if it is not there yet."""
        folder = Path(self.root, NATIVE)
        compiler = runpy.run_path(str(folder / "compiler.py"))
        library = folder / compiler["library_name"]()
        for stale in set(folder.glob("libstormproof-*.so")) - {library}:
            stale.unlink()
        try:
            if not library.is_file():
                compiler["compile_library"](library)
        except compiler["CannotCompile"] as error:
            self.app.display_warning(f"no native step, because {error}")
            return
        build_data["artifacts"].append(f"{NATIVE}/*.so")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
