"""Prompt-selection strategies, and the contract they share, for simulated and real runs."""

from selection.checkpoint import flatten, unflatten
from selection.cures import Cures
from selection.driver import Buffer, Segments, StarvedError, collect
from selection.dynamic import DynamicSampling
from selection.greso import Greso
from selection.gvm import Gvm
from selection.mopps import Mopps
from selection.oracle import Oracle
from selection.protocol import Norms, Order, Outcome, Selector, Verdict
from selection.speed import Speed
from selection.uniform import Uniform

__all__ = [
    "Buffer",
    "Cures",
    "DynamicSampling",
    "Greso",
    "Gvm",
    "Mopps",
    "Norms",
    "Oracle",
    "Order",
    "Outcome",
    "Segments",
    "Selector",
    "Speed",
    "StarvedError",
    "Uniform",
    "Verdict",
    "collect",
    "flatten",
    "unflatten",
]
