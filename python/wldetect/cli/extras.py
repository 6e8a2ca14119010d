"""Commands that need more than the base package: say what is missing, or install it where that was asked for."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence

from wldetect.errors import MissingExtraError

__all__ = ["install_extras", "missing_packages", "require_extras"]

# Packages whose module has another name.
_MODULES = {"pyyaml": "yaml", "ml-dtypes": "ml_dtypes"}


def missing_packages(extras: Sequence[str]) -> list[str]:
    """Packages of this package's ``extras`` that are not installed, by the names they are installed under."""
    try:
        requirements = importlib.metadata.requires("wldetect") or []
    except importlib.metadata.PackageNotFoundError:
        # Run from its sources: nothing says what it needs.
        requirements = []
    needed: list[str] = []
    for requirement in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", requirement)
        if extra and extra[1] in extras and name.lower() != "wldetect":
            needed.append(name)
    return [name for name in dict.fromkeys(needed) if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(_MODULES.get(name.lower(), name.replace("-", "_"))) is not None


def require_extras(command: str, extras: Sequence[str]) -> None:
    """Check that every package of ``extras`` is there.

    Raises:
        MissingExtraError: one is not; the text gives the command that installs them.
    """
    if missing := missing_packages(extras):
        target = f"wldetect[{','.join(extras)}]"
        raise MissingExtraError(
            f"{command} needs {', '.join(missing)}, not installed here; install them with: "
            f"{sys.executable} -m pip install '{target}'"
        )


def install_extras(extras: Sequence[str]) -> None:
    """Install the missing packages of ``extras`` with pip into this environment, saying so first.

    Raises:
        MissingExtraError: pip did not succeed.
    """
    missing = missing_packages(extras)
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "install", f"wldetect[{','.join(extras)}]"]
    print(
        f"The starter training needs packages that are not installed here: {', '.join(missing)}.\n"
        f"Installing them (with torch, up to several GB; Ctrl-C stops): {' '.join(command)}",
        file=sys.stderr,
        flush=True,
    )
    if subprocess.run(command, check=False).returncode != 0:
        raise MissingExtraError(f"pip could not install {', '.join(missing)}; its messages are above")
    importlib.invalidate_caches()
