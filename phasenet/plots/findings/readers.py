"""One colour for each classifier and observable that a network is compared with, in all figures."""

from phasenet.plots.style import class_colours

_KNOWN = ("density of zeros", "bulk string", "neighbour pairs", "local features", "Bayes optimum")
READER_COLOURS = {
    **class_colours((*_KNOWN, "local features, fitted to the pair")),
    "network": "black",
}
