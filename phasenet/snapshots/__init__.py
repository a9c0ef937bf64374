"""Measurement snapshots of ground states."""
