"""How a model is trained: one loop, the default networks and recipe, trained weights as an artifact."""
