"""Files that are whole or absent, however a write is interrupted."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Put `text` at `path`, in a folder that exists; a reader sees the old file or the new.

    The text goes to a temporary name in the same folder first, because only within one file
    system is a renaming atomic. The process number keeps parallel writers apart.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
