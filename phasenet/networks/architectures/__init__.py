"""Kinds of classifiers, one module each, and the registry that builds them from plain values."""
