"""Commands that need more than the base package: say what is missing, or install it where that was asked for.

What this needs of the standard library takes longer to import than a text to detect, so that it is imported late.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from wldetect.errors import MissingExtraError

__all__ = ["install_extras", "missing_requirements", "require_extras"]

# Packages whose module has another name.
_MODULES = {"pyyaml": "yaml", "ml-dtypes": "ml_dtypes"}


def missing_requirements(extras: Sequence[str]) -> list[str]:
    """Requirements of this package's ``extras`` that are not installed, such as ``torch>=2.4``, each package once."""
    import importlib.metadata

    try:
        requirements = importlib.metadata.requires("wldetect") or []
    except importlib.metadata.PackageNotFoundError:
        # Run from its sources: nothing says what it needs.
        requirements = []
    missing: dict[str, str] = {}
    for requirement in requirements:
        specifier, _, marker = requirement.partition(";")
        name = re.split(r"[^A-Za-z0-9._-]", specifier.strip(), maxsplit=1)[0]
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", marker)
        if extra and extra[1] in extras and not _is_installed(name):
            missing.setdefault(name, specifier.strip())
    return list(missing.values())


def _is_installed(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(_MODULES.get(name.lower(), name.replace("-", "_"))) is not None


def _install_command(requirements: Sequence[str]) -> list[str]:
    """The requirements themselves rather than extras of this package: another version of it must not come along."""
    import importlib.util
    import shutil

    if importlib.util.find_spec("pip") is None and (uv := shutil.which("uv")):
        return [uv, "pip", "install", "--python", sys.executable, *requirements]
    return [sys.executable, "-m", "pip", "install", *requirements]


def require_extras(command: str, extras: Sequence[str]) -> None:
    """Check that every package of ``extras`` is there.

    Raises:
        MissingExtraError: one is not; the text gives the command that installs them.
    """
    if missing := missing_requirements(extras):
        import shlex

        raise MissingExtraError(
            f"{command} needs packages of the extra {' and '.join(extras)} that are not installed here; "
            f"install them with: {shlex.join(_install_command(missing))}"
        )


def install_extras(extras: Sequence[str]) -> None:
    """Install the missing packages of ``extras`` into this environment, saying so first.

    Raises:
        MissingExtraError: that did not succeed.
    """
    import importlib
    import shlex
    import subprocess

    missing = missing_requirements(extras)
    if not missing:
        return
    command = _install_command(missing)
    print(
        "The starter training needs packages that are not installed here. Installing them (with torch, up to several "
        f"GB; Ctrl-C stops): {shlex.join(command)}",
        file=sys.stderr,
        flush=True,
    )
    if subprocess.run(command, check=False).returncode != 0:
        raise MissingExtraError(f"could not install {', '.join(missing)}; the installer's messages are above")
    importlib.invalidate_caches()
