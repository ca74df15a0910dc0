"""Whether there are enough training rows, what more of them would bring, and what they would cost."""
