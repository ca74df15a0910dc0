"""Evasion: what an adversary who changes an input a little can make the model say."""
