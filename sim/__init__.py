"""Simulation of selection strategies on prompts whose pass rates are known."""
