"""A strategy's state, or the driver's buffer, as flat named arrays, and back.

States are dataclasses of arrays, numbers and further such dataclasses. Flattened, they can be
written with `numpy.savez` and read with `allow_pickle=False`; a restored state continues
bit-identically.
"""

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

State = TypeVar("State")


def flatten(state: object, prefix: str = "") -> dict[str, np.ndarray]:
    """Arrays of a state by name; the names of nested fields are joined by dots.

    Raises:
        TypeError: A field is neither array, number nor dataclass, and could not be restored.
    """
    if is_dataclass(state):
        flat: dict[str, np.ndarray] = {}
        for field in fields(state):
            flat |= flatten(getattr(state, field.name), f"{prefix}.{field.name}".lstrip("."))
        return flat
    array = np.asarray(state)
    if array.dtype == object or not (prefix and array.dtype.kind in "biuf"):
        raise TypeError(f"{prefix or 'state'}={state!r} is not an array, number or dataclass")
    return {prefix: array}


def unflatten(template: State, arrays: dict[str, np.ndarray], prefix: str = "") -> State:
    """The state that `flatten` made the arrays of.

    Args:
        template: A state of the same kind, such as `selector.init(num_prompts)`.
        arrays: Named arrays.
        prefix: Name of the template within the arrays.

    Raises:
        ValueError: An array is missing, or is of another number of prompts.
    """
    if is_dataclass(template):
        kind: Any = type(template)
        return kind(
            **{
                field.name: unflatten(
                    getattr(template, field.name),
                    arrays,
                    f"{prefix}.{field.name}".lstrip("."),
                )
                for field in fields(template)
            }
        )
    if prefix not in arrays:
        raise ValueError(f"no {prefix!r} in the checkpoint: it is of another strategy")
    if isinstance(template, np.ndarray):
        if template.size and template.shape != arrays[prefix].shape:
            raise ValueError(f"{prefix!r} in the checkpoint is of another number of prompts")
        return arrays[prefix]  # pyright: ignore[reportReturnType]
    number: Any = type(template)
    return number(arrays[prefix].item())
