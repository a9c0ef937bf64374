"""Transitions found in snapshots without their labels."""
