"""Known defects planted, and the controls that they start from; published data with known defects."""
