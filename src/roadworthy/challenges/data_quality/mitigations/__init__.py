"""Remedies for the data themselves: labels, copies across splits, rare classes, values."""
