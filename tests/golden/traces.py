"""Recorded behaviour of released code: reading the traces, and comparing against them.

The folder is the one that the environment variable PASSBAND_GOLDEN names, otherwise the
copies beside this file. Traces are told apart by what they say of themselves, their format
and kind, never by the name of their file.
"""

import functools
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).with_suffix("")
PREFIXES = ("speed_", "greso_", "mopps_", "cures_", "estimators")


@functools.cache
def _documents(folder: Path) -> tuple[dict[str, Any], ...]:
    names = sorted(p for p in folder.glob("*.json.gz") if p.name.startswith(PREFIXES))
    if not names:
        raise FileNotFoundError(f"{folder} holds no trace: no {'*, '.join(PREFIXES)}*.json.gz")
    return tuple(json.loads(gzip.decompress(name.read_bytes())) for name in names)


def traces(format: str) -> list[dict[str, Any]]:  # noqa: A002 - the field's own name
    """All traces of one format: speed, greso, mopps, cures or estimators.

    Raises:
        FileNotFoundError: If the folder holds no trace of any format.
    """
    documents = _documents(Path(os.environ.get("PASSBAND_GOLDEN") or HERE))
    return [t for d in documents if d["format"] == format for t in d["traces"]]


def assert_close(got: object, want: object, where: str, *, tolerance: float = 1e-6) -> None:
    """Fail, naming `where`, unless |got - want| <= tolerance * max(1, |want|) throughout.

    None stands for NaN in what is wanted.
    """
    expected = np.array(want, float)
    actual = np.asarray(got, float)
    assert actual.shape == expected.shape, f"{where}: {actual.shape} is not {expected.shape}"
    margin = tolerance * np.maximum(1.0, np.abs(expected))
    fits = (np.abs(actual - expected) <= margin) | (np.isnan(actual) & np.isnan(expected))
    assert fits.all(), (
        f"{where}{np.argwhere(~fits)[0]}: {actual[~fits][0]} is not {expected[~fits][0]}"
    )
