"""Remedies against an adversary and against corruption: how a network is trained, and what stands in it."""
