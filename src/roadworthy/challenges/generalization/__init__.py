"""Does the model hold up on rows that it has not seen, and is it better than something simple."""
