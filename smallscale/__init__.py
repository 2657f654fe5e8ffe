"""Real RL of a language model, driven by the same selection strategies."""
