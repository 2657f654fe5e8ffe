"""Files that are whole or absent, however a write is interrupted."""

import errno
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

MENDS: Mapping[int | None, str] = MappingProxyType(
    {
        errno.ENOSPC: "free some space, then run again",
        errno.EDQUOT: "free some space, then run again",
        errno.EISDIR: "a folder is in its place, move it away",
        errno.EEXIST: "a file is in its place, move it away",
        errno.ENOTDIR: "a folder on its way is a file, move that away",
        errno.ENOENT: "make its folder first",
        errno.ENAMETOOLONG: "shorten the name",
    }
)
ELSEWHERE = "mend that, or write to another folder"


class UnwritableError(OSError):
    """What cannot be put in its place; the message says why and what to do."""


def write(path: Path, content: str | bytes) -> None:
    """Put `content` at `path`, in a folder that exists; a reader sees the old file or the new.

    It goes to a temporary name in the same folder first, because only within one file
    system is a renaming atomic. The process number keeps parallel writers apart.

    Raises:
        UnwritableError: there is no room, no such folder, or something else in the way.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with naming(path):
        try:
            draft.write_bytes(content.encode() if isinstance(content, str) else content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def folder(path: Path) -> Path:
    """The folder at `path`, made with those above it unless it is there.

    Raises:
        UnwritableError: something else is in its place.
    """
    with naming(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def naming(path: Path) -> Generator[None]:
    """A context in which an error of the file system names `path` and its mend in one line."""
    try:
        yield
    except OSError as error:
        mend = MENDS.get(error.errno, ELSEWHERE)
        reason = error.strerror or str(error)
        raise UnwritableError(f"{path} cannot be written ({reason}): {mend}") from error


def slug(setting: str) -> str:
    """A setting as the name of a file, another one for every setting."""
    plain = re.sub(r"[^A-Za-z0-9.+=,-]", "_", setting)[:80]
    if plain == setting:
        return plain
    return f"{plain}-{sha256(setting.encode()).hexdigest()[:8]}"
