"""Interpretability: which parts of an input answers rest on, and how far explanations of them can be believed."""
