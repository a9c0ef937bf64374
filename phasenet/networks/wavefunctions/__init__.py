"""Autoregressive networks that give the amplitudes of a state."""
