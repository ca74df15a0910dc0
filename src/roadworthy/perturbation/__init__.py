"""How inputs are changed: by an adversary within a threat, and by the world.

The room knows tensors and networks as functions, no subject: training and the challenges both reach down to it.
Importing a module of it imports torch, so it is imported where it is used.
"""
