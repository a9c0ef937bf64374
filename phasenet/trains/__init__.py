"""Tensor trains and their algebra; numpy and scipy only."""
