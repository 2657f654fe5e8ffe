"""Settings written as text: `name:key=value,key=value`, and what they change.

A strategy or a world of the catalogue is a frozen dataclass; a setting names it and replaces
some of its fields. Values are read by the field's type. Whatever is wrong is refused with the
value and the nearest thing that exists.
"""

import re
import types
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Setting = TypeVar("Setting")


class SettingError(ValueError):
    """A setting that cannot be read: one line that names the value and the mend."""


def nearest(wrong: str, known: list[str], kind: str) -> SettingError:
    """The refusal of an unknown name, with the nearest known one or all of them."""
    close = get_close_matches(wrong, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"
    return SettingError(f"unknown {kind} {wrong!r}: {hint}")


def check_fraction(fraction: float) -> None:
    """Raise `SettingError` unless it is a share that leaves something of an experiment."""
    if not 0.0 < fraction <= 1.0:
        raise SettingError(f"fraction={fraction} must lie in (0, 1]")


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Name and changes of a setting such as `speed:screen=8,extend=16`.

    Raises:
        SettingError: A change is not of the form key=value, or a key comes twice.
    """
    name, colon, rest = text.partition(":")
    if colon and not rest:
        raise SettingError(f"{text!r} ends without a change: leave out the colon")
    changes: dict[str, str] = {}
    for part in re.split(r",(?![^(]*\))", rest) if rest else []:  # not within beta(a, b)
        key, equals, value = part.partition("=")
        if not (equals and key and value) or key in changes:
            raise SettingError(f"{part!r} in {text!r} must be key=value, each key once")
        changes[key] = value
    return name, changes


def change(setting: Setting, changes: dict[str, str]) -> Setting:
    """The dataclass with fields replaced; fields of a nested dataclass are named directly.

    Raises:
        SettingError: A key is unknown, or a value is not of the field's type or out of range.
    """
    kind: Any = type(setting)
    hints = get_type_hints(kind)
    own = {f.name for f in fields(kind) if not is_dataclass(hints[f.name])}
    nested = [f.name for f in fields(kind) if is_dataclass(hints[f.name])]
    known = own | {f.name for name in nested for f in fields(hints[name])}
    for key in changes:
        if key not in known:
            raise nearest(key, sorted(known), f"key of {kind.__name__}")
    new: dict[str, Any] = {
        key: _read(key, text, hints[key]) for key, text in changes.items() if key in own
    }
    inner = {key: text for key, text in changes.items() if key not in own}
    for name in nested:
        theirs = {f.name for f in fields(hints[name])}
        below = {key: text for key, text in inner.items() if key in theirs}
        new[name] = change(getattr(setting, name), below) if below else getattr(setting, name)
    try:
        return replace(setting, **new)  # pyright: ignore[reportArgumentType, reportCallIssue]
    except ValueError as error:
        raise SettingError(str(error)) from error


def _read(key: str, text: str, hint: Any) -> Any:  # noqa: ANN401
    """The value that a text stands for under a type hint."""
    options = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if types.NoneType in options and text.lower() == "none":
        return None
    for option in options:
        if option is types.NoneType:
            continue
        try:
            return _read_as(text, option)
        except ValueError:
            continue
    wanted = _name(hint)
    raise SettingError(f"{key}={text!r} must be {wanted}" if wanted else f"{key} is no knob")


def _read_as(text: str, option: Any) -> Any:  # noqa: ANN401
    """The value of a text as one plain type."""
    if get_origin(option) is Literal:
        if text not in get_args(option):
            raise ValueError(text)
        return text
    if get_origin(option) is tuple:
        kinds, parts = get_args(option), text.split("/")
        return tuple(_read_as(part, k) for part, k in zip(parts, kinds, strict=True))
    if option is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if option in (int, float, str):
        return option(text)
    raise ValueError(text)


def _name(hint: Any) -> str:  # noqa: ANN401
    """What a field takes, in words."""
    words: dict[Any, str] = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        types.NoneType: "none",
    }
    if isinstance(hint, types.UnionType):
        return " or ".join(_name(option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"{len(get_args(hint))} numbers joined by '/'"
    return words.get(hint, "")
