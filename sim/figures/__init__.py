"""Figures and tables of the papers by number, redrawn beside their published values."""
