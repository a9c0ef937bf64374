"""Figures of the sections of a report, from their stored numbers alone."""
