"""Shared quantities: who each row is, what the model says of it, and where it lies among the others."""
