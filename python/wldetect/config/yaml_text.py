"""Reading YAML strictly and writing it back.

Plain scalars follow the YAML 1.2 core schema: ``1e-3`` is a number, and ``no`` (Norwegian) is text rather than false.
Only plain data is constructed: nulls, booleans, 64-bit integers, floats, text, lists and mappings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from wldetect.config.messages import dotted, found
from wldetect.errors import ConfigError

__all__ = ["dump_yaml", "parse_yaml", "read_yaml"]

_TAG = "tag:yaml.org,2002:"
_LARGEST = 2**63 - 1

# Tag, pattern, first characters; the first pattern that matches wins. YAML 1.2.2, chapter 10.3 (core schema).
_CORE_SCHEMA: tuple[tuple[str, str, list[str]], ...] = (
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z", list("-+0123456789")),
    (
        "float",
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
        list("-+.0123456789"),
    ),
)


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with nothing of YAML 1.1 left in it: no dates, no base 60, no merge keys, no yes and no."""


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 *or* 1.2 would take for another type, so that every reader gets the same text."""


# The registries of a PyYAML loader are class attributes; these replace the inherited ones instead of adding to them.
_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {
    tag: construct
    for tag, construct in yaml.SafeLoader.yaml_constructors.items()
    if tag in (f"{_TAG}str", f"{_TAG}seq", f"{_TAG}map", None)
}
for _name, _pattern, _first in _CORE_SCHEMA:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)
    _Dumper.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)


def _construct_null(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> None:
    loader.construct_scalar(node)


def _construct_bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    text = str(loader.construct_scalar(node)).lower()
    if text not in ("true", "false"):
        raise yaml.MarkedYAMLError(problem=f"{text!r} is not true or false", problem_mark=node.start_mark)
    return text == "true"


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        value = int(text[2:] if base != 10 else text, base)
    except ValueError:  # an explicit !!int on other text, or more digits than Python converts
        value = _LARGEST + 1
    if not -_LARGEST <= value <= _LARGEST:
        raise yaml.MarkedYAMLError(problem=f"{text[:40]!r} is not a 64-bit integer", problem_mark=node.start_mark)
    return value


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    try:
        return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    except ValueError:
        raise yaml.MarkedYAMLError(problem=f"{text[:40]!r} is not a number", problem_mark=node.start_mark) from None


_Loader.add_constructor(f"{_TAG}null", _construct_null)
_Loader.add_constructor(f"{_TAG}bool", _construct_bool)
_Loader.add_constructor(f"{_TAG}int", _construct_int)
_Loader.add_constructor(f"{_TAG}float", _construct_float)


def read_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file that holds one mapping with text keys.

    Raises:
        OSError: the file is missing or unreadable.
        ConfigError: it is empty, not UTF-8, not YAML, not a mapping, or has a key twice or a key that is not text;
            the text names the file and, where there is one, the line.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise ConfigError(f"{path}: expected UTF-8 text, found {where}") from None
    data, empty = parse_yaml(text, str(path))
    if empty:
        raise ConfigError(f"{path}: expected a mapping of keys to values, found an empty file")
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {found(data)}")
    return data


def parse_yaml(text: str, origin: str) -> tuple[Any, bool]:
    """Read YAML text; returns its plain data, and whether there was no document in it at all.

    Raises:
        ConfigError: it is not YAML, or has a key twice or a key that is not text; begins with ``origin``.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, True
        _check_keys(node, (), set(), origin)
        return loader.construct_document(node), False
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reason = f"{error.reason} (U+{ord(text[error.position]):04X})"
        raise ConfigError(f"{origin}: line {line}: not valid YAML: {reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        reason = " ".join(f"{error.problem or error.context or 'syntax error'}".split())
        raise ConfigError(f"{origin}: {where}not valid YAML: {reason}") from None
    except RecursionError:
        raise ConfigError(f"{origin}: not valid YAML: nested too deeply") from None


def dump_yaml(data: dict[str, Any]) -> str:
    """Write plain data as YAML text, keys in the given order, one line a scalar."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=2**31)
    return str(text)


def _check_keys(node: yaml.Node, path: tuple[str | int, ...], seen: set[int], file: str) -> None:
    """Refuse keys given twice, of which YAML libraries silently keep the last, and keys that are not text."""
    if id(node) in seen:  # an alias: checked already, and possibly its own ancestor
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _check_keys(item, (*path, position), seen, file)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{file}: line {line}: expected text as a key, found a list or mapping")
            here = (*path, key.value)
            if key.tag != f"{_TAG}str":
                raise ConfigError(f"{file}: {dotted(here)}: line {line}: expected text as a key; put it in quotes")
            if key.value in lines:
                first = lines[key.value]
                raise ConfigError(f"{file}: {dotted(here)}: duplicate key on line {line}, first on line {first}")
            lines[key.value] = line
            _check_keys(value, here, seen, file)
