"""WLDetect: language detection from static LLM token embeddings.

>>> from wldetect import WLDetect                            # doctest: +SKIP
>>> detector = WLDetect.load()                               # doctest: +SKIP
>>> detector.predict("Wo hast du die Schlüssel hingelegt?")  # doctest: +SKIP
('deu_Latn', 0.99...)

``load()`` takes the model inside the package, ``load("artifacts/starter")`` one that was trained here. Detecting needs
nothing but this package. Training and evaluation need the extra ``training``.
"""

from __future__ import annotations

from wldetect._core import WLDetect, __version__
from wldetect.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    EmbeddingError,
    MissingExtraError,
    WLDetectError,
)

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "EmbeddingError",
    "MissingExtraError",
    "WLDetect",
    "WLDetectError",
    "__version__",
]
