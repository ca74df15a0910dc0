"""Inspect a deep-learning model and its data."""
