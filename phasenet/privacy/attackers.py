"""Attackers: classifiers that learn a secret of networks from what is seen of them."""

import warnings
from typing import Any, Literal, get_args

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from phasenet.errors import SettingsError
from phasenet.trains.train import Array, FloatArray, IntArray

Attacker = Literal["logistic", "boosted", "neural"]
ATTACKERS: tuple[Attacker, ...] = get_args(Attacker)
"""Logistic regression, gradient-boosted trees, a network of one hidden layer."""

# Trees look at single features, of which thousands are noise.
_SELECTED, _LEADING = 200, 20
# Square roots of eigenvalues below this share of the largest one are rounding errors.
_RANK_TOL = 1e-6


def attacked(
    attacker: Attacker, training: Array, secret: IntArray, held_out: Array, *, seed: int
) -> FloatArray:
    """Probabilities of the secret of networks that the attacker has not seen.

    Everything that is fitted, scales and selected features among it, is fitted on the networks of
    the training alone.

    Parameters
    ----------
    attacker
        One of ATTACKERS.
    training, held_out
        Features, shapes (networks, features).
    secret
        Of the networks of the training: 0, 1, ... up to the last class, each of which occurs.
    seed
        Of what the attacker draws.

    Returns
    -------
    Shape (held_out, classes).

    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> found = attacked("logistic", x, (x[:, 0] > 0).astype(int), np.array([[0.9]]), seed=0)
    >>> print(f"{found[0, 1]:.2f}")
    0.95
    """
    if attacker not in ATTACKERS:
        raise SettingsError(f"attacker is {attacker!r}; wanted one of {', '.join(ATTACKERS)}")
    known, unknown = _standardised(training, held_out)
    if attacker == "boosted":
        known, unknown = _few(known, unknown, secret)
    else:
        known, unknown = _coordinates(known, unknown)
    model = _model(attacker, len(known), seed)
    with warnings.catch_warnings():
        # An attacker that was stopped is an attacker all the same; held-out networks judge it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(known, secret)
    return np.asarray(model.predict_proba(unknown), dtype=np.float64)


def _model(attacker: Attacker, rows: int, seed: int) -> Any:
    state = seed % 2**32
    if attacker == "logistic":
        return LogisticRegression(max_iter=1000)
    if attacker == "boosted":
        return HistGradientBoostingClassifier(
            max_iter=60,
            max_bins=63,
            max_leaf_nodes=8,
            min_samples_leaf=max(2, min(20, rows // 10)),
            early_stopping=False,
            random_state=state,
        )
    return MLPClassifier((32,), solver="lbfgs", alpha=1.0, max_iter=200, random_state=state)


def _standardised(training: Array, held_out: Array) -> tuple[Array, Array]:
    """Features of mean 0 and variance 1 in the training; those that do not vary are left out."""
    mean, spread = training.mean(axis=0), training.std(axis=0)
    largest = np.abs(training).max(axis=0, initial=0.0)
    varied = spread > 1e-6 * largest if training.dtype == np.float32 else spread > 1e-12 * largest
    if not varied.any():
        return np.zeros((len(training), 1)), np.zeros((len(held_out), 1))
    known, unknown = (
        (part[:, varied] - mean[varied]) / spread[varied] for part in (training, held_out)
    )
    return known, unknown


def _coordinates(training: Array, held_out: Array) -> tuple[FloatArray, FloatArray]:
    """Few coordinates in which a method that only knows scalar products sees all features.

    With more features than networks these are the principal components with a variance, in the
    scale of as many features as there are networks; no information for such a method is lost.
    """
    rows, features = training.shape
    if features <= rows:
        return training.astype(np.float64), held_out.astype(np.float64)
    products = (training @ training.T).astype(np.float64)
    values, vectors = np.linalg.eigh(products)
    kept = values > _RANK_TOL * values[-1]
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    scale = np.sqrt(rows / features)
    found = (held_out @ training.T).astype(np.float64) @ (vectors / roots)
    return scale * vectors * roots, scale * found


def _few(training: Array, held_out: Array, secret: IntArray) -> tuple[Array, Array]:
    """Features that tell the classes apart best one by one, and the leading components."""
    rows, features = training.shape
    if features <= _SELECTED:
        return training, held_out
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.nan_to_num(f_classif(training, secret)[0], posinf=np.finfo(np.float64).max)
    best = np.sort(np.argsort(-scores, kind="stable")[:_SELECTED])
    if features <= rows:
        return training[:, best], held_out[:, best]
    known, unknown = _coordinates(training, held_out)
    # The components come with the largest one last.
    return (
        np.hstack([training[:, best], known[:, -_LEADING:]]),
        np.hstack([held_out[:, best], unknown[:, -_LEADING:]]),
    )
