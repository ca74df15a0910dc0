"""Whether groups of people are decided upon alike, and with the same mistakes."""
