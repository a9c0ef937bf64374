"""Trained networks made smaller, and how much accuracy that costs."""
