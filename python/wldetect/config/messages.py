"""One-line descriptions of what a configuration expected and what it found there.

The texts are derived from the schema (its keys, enumerations and field descriptions), never from the wording of the
validation library, so that they stay the same whichever version of it is installed.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

__all__ = ["Problem", "dotted", "found", "one_of", "problem", "problems_of"]

_OWN_TYPE = "wldetect"
_LONGEST_SHOWN = 60


class Problem(NamedTuple):
    """One thing wrong with a configuration.

    Attributes:
        path: keys and list positions from the top of the file to the value at fault.
        text: what was expected and what was found, one line, without the path.
    """

    path: tuple[str | int, ...]
    text: str


def found(value: object) -> str:
    """Describe a value the way it would be written in YAML, with its Python type, in at most about 80 characters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"{str(value).lower()} (bool)"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return f"{_shortened(repr(value))} ({type(value).__name__})"


def dotted(path: Iterable[str | int]) -> str:
    """Write a path the way a person would: ``dataset.sources[0].name``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            # A key may hold anything YAML can quote; a line break must not break the one-line message.
            shown = _shortened(part if part and part.isprintable() else repr(part))
            text += f".{shown}" if text else shown
    return text


def one_of(choices: Sequence[str], wrong: object = None) -> str:
    """List the valid choices; where ``wrong`` is text close to one of them, ask whether that was meant."""
    text = f"expected one of {', '.join(choices)}"
    if isinstance(wrong, str):
        near = difflib.get_close_matches(wrong, choices, n=1)
        if near:
            text += f"; did you mean '{near[0]}'?"
    return text


def problem(text: str, *path: str | int) -> PydanticCustomError:
    """Build the error a validator of the schema raises; ``path`` is relative to the value that it validates."""
    return PydanticCustomError(_OWN_TYPE, "{text}", {"text": text, "path": path})


def problems_of(error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """Translate a validation error of ``root`` into problems, the most telling one first.

    A misspelt key shows up as two problems, an unknown key and a missing one. The unknown key carries the suggestion,
    so unknown keys come first and missing keys last; otherwise the order of the schema is kept.
    """
    rank = {"extra_forbidden": 0, "missing": 2}
    details = error.errors(include_url=False)
    return [_translate(entry, root) for entry in sorted(details, key=lambda entry: rank.get(entry["type"], 1))]


def _translate(entry: ErrorDetails, root: type[BaseModel]) -> Problem:
    path = entry["loc"]
    if entry["type"] == _OWN_TYPE:
        return Problem((*path, *entry["ctx"]["path"]), entry["ctx"]["text"])
    if entry["type"] == "extra_forbidden":
        parent = _without_null(_lookup(root, path[:-1])[0])
        keys = list(parent.model_fields) if _is_model(parent) else []
        return Problem(path, f"unknown key; {one_of(keys, path[-1])}")
    hint, description = _lookup(root, path)
    if entry["type"] == "missing":
        return Problem(path, f"missing required key; expected {_expected(hint, description)}")
    value = entry["input"]
    choices = _choices(hint)
    if choices:
        listed, _, meant = one_of(choices, value).partition(";")
        null = " or null" if _is_optional(hint) else ""
        return Problem(path, f"{listed}{null}, found {found(value)}" + (f";{meant}" if meant else ""))
    text = f"expected {_expected(hint, description)}, found {found(value)}"
    if isinstance(value, (bool, int, float)) and _without_null(hint) is str:
        text += "; put it in quotes"
    return Problem(path, text)


def _lookup(root: type[BaseModel], path: Sequence[str | int]) -> tuple[Any, str | None]:
    """Follow a path through the schema to the annotation of its end and the description given with it."""
    hint: Any = root
    description: str | None = None
    for part in path:
        hint = _without_null(hint)
        if _is_model(hint):
            field = hint.model_fields.get(part)
            if field is None:
                return object, None
            hint, description = field.annotation, field.description
        else:
            arguments = get_args(hint)
            hint, description = (arguments[-1] if arguments else object), None
    return hint, description


def _expected(hint: Any, description: str | None = None) -> str:
    if description is not None:
        return description
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        given = next((item.description for item in metadata if isinstance(item, FieldInfo) and item.description), None)
        return _expected(inner, given)
    if _is_optional(hint):
        return " or ".join([*(_expected(part) for part in get_args(hint) if part is not types.NoneType), "null"])
    if _choices(hint):
        return f"one of {', '.join(_choices(hint))}"
    if _is_model(hint) or get_origin(hint) is dict:
        return "a mapping"
    if get_origin(hint) is list:
        return "a list"
    return {bool: "true or false", str: "text"}.get(hint, getattr(hint, "__name__", str(hint)))


def _choices(hint: Any) -> list[str]:
    bare = _without_null(hint)
    return [str(member.value) for member in bare] if _is_class(bare, Enum) else []


def _is_model(hint: Any) -> bool:
    return _is_class(hint, BaseModel)


def _is_class(hint: Any, base: type) -> bool:
    # In Python 3.10 list[X] passes for a type until it is given to issubclass.
    return get_origin(hint) is None and isinstance(hint, type) and issubclass(hint, base)


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and types.NoneType in get_args(hint)


def _without_null(hint: Any) -> Any:
    """Reduce ``Annotated[X, ...]`` and ``X | None`` to ``X``."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif _is_optional(hint):
            hint = next(part for part in get_args(hint) if part is not types.NoneType)
        else:
            return hint


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
