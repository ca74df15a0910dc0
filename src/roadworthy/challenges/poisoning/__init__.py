"""Whether somebody put rows into the training data to steer the model: evidence, power, susceptibility, remedies."""
