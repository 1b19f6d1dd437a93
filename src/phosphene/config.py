"""Config files: YAML in, frozen dataclasses out. A file says exactly what the flags can say."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from phosphene.errors import PhospheneError, unknown

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """safe_load, but `1e-4` is a number and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {min(twice)!r} given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        PhospheneError: no such file, not YAML, or not a mapping at the top.
    """
    try:
        content = _parse(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PhospheneError(f"can't read config file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PhospheneError(f"config file {path} is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise PhospheneError(f"config file {path} is not YAML: {_where(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise PhospheneError(f"config file {path} must hold `key: value` lines at its top level")
    return {str(key): value for key, value in content.items()}


def assignments(pairs: Iterable[str], flag: str = "--set") -> dict[str, Any]:
    """`["a=1", "b=[x, y]"]` as `{"a": 1, "b": ["x", "y"]}`; values are read as YAML.

    Args:
        pairs: as they were typed.
        flag: what they were typed after, for messages.

    Raises:
        PhospheneError: no `=`, no key, or a value that is not YAML.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key.strip():
            raise PhospheneError(f"{flag} takes KEY=VALUE; got {pair!r}")
        try:
            out[key.strip()] = _parse(text)
        except yaml.YAMLError as error:
            raise PhospheneError(f"{flag} {pair!r}: the value is not YAML; quote it") from error
    return out


def override(mapping: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `mapping` with `changes` made; a dotted key reaches inside, lists by position.

    `{"stages.0.lr": 1e-4}` changes `lr` of the first of `stages`.

    Raises:
        PhospheneError: a dotted key runs through a value that has no such part.
    """
    out: Any = copy.deepcopy(dict(mapping))
    for dotted, value in changes.items():
        *way, last = dotted.split(".")
        inner = out
        for part in way:
            if isinstance(inner, dict) and inner.get(part) is None:
                inner[part] = {}
            inner = inner[_place(inner, part, dotted)]
        inner[_place(inner, last, dotted)] = value
    return out


def _place(inner: Any, part: str, dotted: str) -> Any:
    if isinstance(inner, dict):
        return part
    if isinstance(inner, list) and part.isdecimal() and int(part) < len(inner):
        return int(part)
    held = f"a list of {len(inner)}" if isinstance(inner, list) else repr(inner)
    raise PhospheneError(f"--set {dotted}: there is no {part!r} in {held}")


def build(cls: type[T], mapping: Mapping[str, Any], source: str) -> T:
    """A `cls`, which is a dataclass, from text-born values; `first-frame` equals `first_frame`.

    Args:
        cls: the dataclass; nested dataclasses are built from nested mappings.
        mapping: field name -> value.
        source: where the values come from, for messages, e.g. the file's path.

    Raises:
        PhospheneError: an unknown key (the nearest names are offered), a missing key, or a value of
            the wrong type; always names `source` and the key.
    """
    from pydantic import TypeAdapter, ValidationError

    values = _known(cls, mapping, source)
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        got = f"; got {first['input']!r}" if key and first["type"] != "missing_argument" else ""
        raise PhospheneError(f"{source}: {key + ': ' if key else ''}{said}{got}") from error


def _known(kind: Any, value: Any, source: str) -> Any:
    """`value` with dataclass fields by their Python names; refuses keys that are no fields.

    pydantic ignores such keys in a plain dataclass, at any depth, so all of `kind` is walked.
    """
    if dataclasses.is_dataclass(kind):
        return _fields(kind, {} if value is None else value, source)
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        for choice in inside:
            if value is not None:
                value = _known(choice, value, source)
    elif isinstance(value, Mapping) and len(inside) == 2:
        return {k: _known(inside[1], v, f"{source}: {k}") for k, v in value.items()}
    elif isinstance(value, list) and inside:
        return [_known(inside[0], v, f"{source}: {i}") for i, v in enumerate(value)]
    return value


def _fields(cls: Any, value: Any, source: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    kinds = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    out: dict[str, Any] = {}
    for key, held in value.items():
        name = str(key).replace("-", "_")
        if name not in names:
            spelt = names if "_" in str(key) else [n.replace("_", "-") for n in names]
            raise PhospheneError(f"{source}: {unknown('key', str(key), spelt)}")
        out[name] = _known(kinds[name], held, f"{source}: {key}")
    return out


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be read"
    return f"{problem} (line {mark.line + 1})" if mark else problem
