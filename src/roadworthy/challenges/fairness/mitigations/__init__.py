"""Remedies for unfairness: in the weights of rows, in the loss, in the last layer, in the threshold."""
