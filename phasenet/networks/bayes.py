"""Decisions with the least possible error, from exact likelihoods."""

import numpy as np
from numpy.typing import NDArray

from phasenet.trains.train import FloatArray, IntArray


def bayes_decisions(
    class_log_likelihood: FloatArray, truth: IntArray, kind: IntArray | None = None
) -> IntArray:
    """Decisions with the least possible error, from exact likelihoods and the split's class shares.

    Parameters
    ----------
    class_log_likelihood
        ln p(shot | class), shape (shots, classes); NaN for classes that the split does not hold.
    truth
        Class of each shot; only the shares of the classes are used.
    kind
        What is known of each shot beside its likelihoods, such as the length of its chain: the
        shares are those among shots of its own kind. None: nothing.

    >>> bayes_decisions(np.log([[0.5, 0.4], [0.1, 0.4]]), np.array([0, 1])).tolist()
    [0, 1]
    """
    if kind is None:
        counts = np.bincount(truth, minlength=class_log_likelihood.shape[1])
        return most_likely(class_log_likelihood, counts / counts.sum())
    result = np.empty(len(kind), dtype=np.int64)
    for value in np.unique(kind):
        members = kind == value
        result[members] = bayes_decisions(class_log_likelihood[members], truth[members])
    return result


def most_likely(class_log_likelihood: FloatArray, shares: FloatArray) -> IntArray:
    """Class with the largest posterior probability; of shots that no class gives, the commonest.

    Parameters
    ----------
    class_log_likelihood
        As of :func:`bayes_decisions`; -inf where a class cannot give a shot.
    shares
        Share of each class, shape (classes,).

    >>> most_likely(np.full((1, 2), -np.inf), np.array([0.2, 0.8])).tolist()
    [1]
    """
    with np.errstate(divide="ignore"):
        scores = class_log_likelihood + np.log(shares)
    scores = np.where(np.isnan(scores), -np.inf, scores)
    impossible = np.isneginf(scores).all(axis=1)
    return np.asarray(np.where(impossible, np.argmax(shares), scores.argmax(axis=1)))


def with_likelihood(class_log_likelihood: FloatArray) -> NDArray[np.bool_]:
    """Return whether the likelihood of any class is known, for each shot.

    >>> with_likelihood(np.array([[np.nan, -3.0], [np.nan, np.nan]])).tolist()
    [True, False]
    """
    return np.asarray(~np.isnan(class_log_likelihood).all(axis=1))
