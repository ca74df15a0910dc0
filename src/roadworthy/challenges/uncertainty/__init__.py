"""Does the model know what it does not know: calibration, abstention, sets with stated coverage."""
