"""How much hangs on the settings of training: sensitivity, optimism, importance, and the search for better ones."""
