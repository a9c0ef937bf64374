"""Tensorized layers: Tucker, matrix product operator and CP in place of dense weights."""
