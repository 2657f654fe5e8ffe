"""The checks behind the verdicts of the ledger, a module per system.

A check takes nothing, or the case of a table, and returns a `theory.finding.Finding`. It
calls formulas through their modules, so that a changed formula changes what it finds, and
derives a number twice where it can, in the second place from sums over all outcomes.
"""
