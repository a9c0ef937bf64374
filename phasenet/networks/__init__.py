"""Phase classifiers in torch: the only place, with insight and privacy, that imports it."""
