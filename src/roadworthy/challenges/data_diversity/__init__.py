"""Whom the data leave out: groups and slices that are too few, rows that say the same, parts where the model is weak."""
