"""Probabilities of classes, less sharp where a chain is not long against its correlations."""

import math
from collections.abc import Sequence
from dataclasses import replace

from phasenet.errors import SettingsError, ShapeError
from phasenet.shots import SampledPoint


def with_soft_labels(
    points: Sequence[SampledPoint],
    correlation_lengths: Sequence[float],
    gapless: Sequence[bool],
    sites: Sequence[int],
    classes: Sequence[str],
) -> tuple[SampledPoint, ...]:
    r"""Points with a probability for each of n classes.

    .. math:: p_{\mathrm{own}} = 1 - \Big(1 - \frac{1}{n}\Big) e^{-L / \xi}

    and the rest shared by the other classes evenly: :math:`e^{-L / \xi}` is what correlations leave
    over the L sites of a chain. Without a label all classes are alike.

    Parameters
    ----------
    points
        With their labels.
    correlation_lengths
        Of the infinite state of each point, in sites; NaN where it is not to count, as for labels
        that come from a coordinate.
    gapless
        Whether the phase of each point has no gap: its correlation length is that of the bond
        dimension, and its own class has probability 1.
    sites
        Of each shot of each point.
    classes
        All labels.

    >>> from phasenet.points import ParameterPoint
    >>> point = SampledPoint(point=ParameterPoint.of(D=1), label="a", split="train", reason="")
    >>> (soft,) = with_soft_labels([point], [16.0], [False], [32], ["a", "b"])
    >>> print([f"{share:.4f}" for share in soft.soft_label])
    ['0.9323', '0.0677']
    """
    lengths = {len(points), len(correlation_lengths), len(gapless), len(sites)}
    if len(lengths) > 1:
        raise ShapeError(
            f"{len(points)} points have {len(correlation_lengths)} correlation lengths, "
            f"{len(gapless)} gaps and {len(sites)} lengths; wanted one of each for each point"
        )
    return tuple(
        replace(point, soft_label=_shares(point.label, list(classes), _lost(xi, free, length)))
        for point, xi, free, length in zip(points, correlation_lengths, gapless, sites, strict=True)
    )


def _lost(correlation_length: float, gapless: bool, sites: int) -> float:
    """How much of the order a chain of that length does not show: exp(-L / xi)."""
    if gapless or math.isnan(correlation_length) or correlation_length <= 0.0:
        return 0.0
    return math.exp(-sites / correlation_length)


def _shares(label: str | None, classes: list[str], lost: float) -> tuple[float, ...]:
    count = len(classes)
    if label is not None and label not in classes:
        raise SettingsError(f"label {label!r} is none of the classes {', '.join(classes)}")
    others = (1.0 if label is None else lost) / max(count, 1)
    own = 1.0 - (count - 1) * others
    return tuple(own if name == label else others for name in classes)
