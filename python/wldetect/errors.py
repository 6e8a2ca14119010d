"""Every exception this package raises on purpose.

All of them are ``ValueError`` subclasses whose text is one line that names the file or key at fault, what was
expected and what was found. A file that is missing or unreadable stays the ``OSError`` the system gave. The
command line prints either kind as one line and exits with status 2.
"""

from __future__ import annotations

__all__ = ["ArtifactError", "ConfigError", "DataError", "EmbeddingError", "MissingExtraError", "WLDetectError"]


class WLDetectError(ValueError):
    """Base of every error this package raises on purpose."""


class ConfigError(WLDetectError):
    """A configuration file or option is wrong: the text names the file, the key, what was expected and found."""


class DataError(WLDetectError):
    """Training or evaluation text cannot be used: missing column, unknown split, no rows left, not UTF-8."""


class EmbeddingError(WLDetectError):
    """An embedding source cannot be used: missing tensor, wrong shape, unreadable quantization, bad checksum."""


class ArtifactError(WLDetectError):
    """A model directory is missing a file, or a file in it is truncated, malformed or disagrees with another."""


class MissingExtraError(WLDetectError):
    """A command needs packages of an extra that is not installed; the text gives the command that installs it."""
