"""What is wrong with the data themselves: copies, labels, values, leaks, shortcuts, gaps, rarity."""
