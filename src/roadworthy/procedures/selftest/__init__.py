"""The self-test: every check is qualified on planted faults."""
