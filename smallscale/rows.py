"""Rows of a data set: what they are called, where a file keeps them, and how one is read.

Two schemas are known by sight: rows of `{id, problem, answer}`, the id being optional, and
rows as verl writes them, whose `prompt` is a chat. A `Columns` says where a schema keeps what,
so that data sets of the hub (`smallscale.hub`) are read by the same few lines.

**Keys.** A prompt's key is its id, behind its data source where ids may repeat between sources
(verl and the hub). A row without an id is named by a hash of its problem: equal problems have
equal keys, in whatever order or file they come, and under any template.

A row that is no row of its schema is refused, with its place and what is expected there; a row
that is one, but makes no prompt (an empty answer, say), is left to `smallscale.sources`.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from selection.settings import SettingError
from smallscale.templates import Message, Prompt

SUFFIXES = (".jsonl", ".parquet")
AT_ONCE = 1_000  # rows of a Parquet file in memory as Python values
EXAMPLE = '{"id": "1", "problem": "1+1=", "answer": "2"}'
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where a schema keeps what; dots lead into nested columns.

    Attributes:
        problem: Text, or a chat: a list of messages with role and content.
        answer: Text or a number.
        key: The id; rows may lack it.
        family: The data source; where None, all rows have the one they are read with.
        boxed: Whether `answer` holds a solution, whose last box is the answer.
        prefixed: Whether keys begin with the family, because ids repeat between families.
    """

    problem: str = "problem"
    answer: str = "answer"
    key: str = "id"
    family: str | None = None
    boxed: bool = False
    prefixed: bool = False

    def __str__(self) -> str:
        family = (self.family,) if self.family else ()
        return f"{', '.join((*family, self.problem, self.answer))} and optionally {self.key}"


PLAIN = Columns()
VERL = Columns(
    problem="prompt",
    answer="reward_model.ground_truth",
    key="extra_info.index",
    family="data_source",
    prefixed=True,
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row, read.

    Attributes:
        key: Its name.
        prompt: The problem, or the chat.
        content: The prompt as one text; equal for equal prompts and for no others.
        answer: What a verifier compares with; None for a solution without a box.
        family: Its data source.
    """

    key: str
    prompt: Prompt
    content: str
    answer: str | None
    family: str


def stored(path: Path) -> Iterator[Row]:
    """The rows of a JSONL or Parquet file, in its order; blank lines are none.

    Raises:
        SettingError: The file is of another kind, or a row is none; the message says where.
        OSError: There is no such file, or it cannot be read.
    """
    if path.suffix not in SUFFIXES:
        raise SettingError(f"{path} must be named {' or '.join(SUFFIXES)}")
    places = _lines(path) if path.suffix == ".jsonl" else _records(path)
    for where, values in places:
        columns = VERL if isinstance(values, Mapping) and "reward_model" in values else PLAIN
        yield read(values, columns, where=where, family=path.stem)


def read(values: object, columns: Columns, *, where: str, family: str) -> Row:
    """One row from the values it is stored as.

    Args:
        values: A mapping from column to value.
        columns: Which column holds what.
        where: The row's place, for messages.
        family: The data source, unless a column says.

    Raises:
        SettingError: A column is missing or holds what it should not.
    """
    if not isinstance(values, Mapping):
        raise SettingError(f"{where} is {_kind(values)}, expected an object such as {EXAMPLE}")
    prompt = _prompt(_value(values, columns.problem, columns, where), columns, where)
    answer = _text(
        _value(values, columns.answer, columns, where), columns.answer, where
    ).strip()
    if columns.family:
        source = _value(values, columns.family, columns, where)
        family = _text(source, columns.family, where) or family
    content = prompt if isinstance(prompt, str) else json.dumps(prompt, sort_keys=True)
    key = _text(_found(values, columns.key)[1], columns.key, where) or _digest(content)
    return Row(
        key=f"{family}/{key}" if columns.prefixed else key,
        prompt=prompt,
        content=content,
        answer=boxed(answer) if columns.boxed else answer,
        family=family,
    )


def boxed(solution: str) -> str | None:
    r"""What the last \boxed{} of a solution holds; None without one, or if it never ends."""
    boxes = list(BOX.finditer(solution))
    if not boxes:
        return None
    start, depth = boxes[-1].end(), 1
    for brace in re.finditer(r"\\.|[{}]", solution[start:], re.DOTALL):  # \{ is no brace
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if not depth:
            return solution[start : start + brace.start()].strip()
    return None


def _lines(path: Path) -> Iterator[tuple[str, object]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
                reason = str(error).partition(": line ")[0]  # which would count from this one
                raise SettingError(
                    f"{where} is no JSON ({reason}): expected an object such as {EXAMPLE}"
                ) from error


def _records(path: Path) -> Iterator[tuple[str, object]]:
    parquet = needed("pyarrow.parquet", "train", path)
    with path.open("rb") as file:
        try:
            table = parquet.ParquetFile(file)
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise SettingError(f"{path} is no Parquet file ({reason})") from error
        number = 0
        for batch in table.iter_batches(AT_ONCE):
            for values in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", values


def needed(module: str, extra: str, what: object) -> Any:  # noqa: ANN401
    """An optional module, imported.

    Raises:
        SettingError: Its package is not installed; the message names the extra that has it.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise SettingError(
            f"{what} needs the package {package}: pip install 'passband[{extra}]'"
        ) from error


def _found(values: Mapping[Any, Any], path: str) -> tuple[bool, object]:
    """Whether there is such a column, and its value; what is below a null is null."""
    value: Any = values
    for part in path.split("."):
        if value is None:
            return True, None
        if not isinstance(value, Mapping) or part not in value:
            return False, None
        value = value[part]
    return True, value


def _value(values: Mapping[Any, Any], path: str, columns: Columns, where: str) -> object:
    found, value = _found(values, path)
    if not found:
        verl = f", or those of verl: {VERL}" if columns == PLAIN else ""
        raise SettingError(
            f"{where} has no column {path}, only {', '.join(map(str, values))}: "
            f"expected {columns}{verl}"
        )
    return value


def _prompt(value: object, columns: Columns, where: str) -> Prompt:
    if not isinstance(value, list):
        return _text(value, columns.problem, where)
    return [_message(part, columns.problem, where) for part in value]


def _message(part: object, column: str, where: str) -> Message:
    if isinstance(part, Mapping):
        role, content = part.get("role"), part.get("content")
        if isinstance(role, str) and isinstance(content, str):
            return {"role": role, "content": _whole(content, column, where)}
    raise SettingError(f"{where}: {column} must hold messages with role and content, both text")


def _text(value: object, column: str, where: str) -> str:
    """A value as text; null and NaN are empty, and 142.0 is 142."""
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SettingError(f"{where}: {column} must be text or a number, found {_kind(value)}")
    return _whole(str(value), column, where)


def _whole(text: str, column: str, where: str) -> str:
    """The text, if it can be encoded: JSON can write half a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SettingError(f"{where}: {column} holds half a surrogate pair") from error
    return text


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


def _digest(content: str) -> str:
    """A name of 64 bits: two of a million prompts share one with probability 3e-8."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]
