"""Files that are whole or absent, however a write is interrupted."""

import os
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Put `content` at `path`, in a folder that exists; a reader sees the old file or the new.

    It goes to a temporary name in the same folder first, because only within one file
    system is a renaming atomic. The process number keeps parallel writers apart.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
