r"""Orders taken out of shots in doses, and symmetry operations on them.

All work on outcomes of one spin component on sites that were all read: state k of d has the
eigenvalue :math:`S - k`. The largest dose of ``sign scramble``, ``block flip`` and ``zero shuffle``
is what :func:`phasenet.snapshots.transforms.control_copy` does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.phases.spins import is_integer_spin
from phasenet.snapshots.transforms import Spins, control_copy

DOSES = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of spins that are changed."""


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """Something that is done to shots, in doses.

    Parameters
    ----------
    name
        What is done.
    dose_name
        What a dose is, with its unit.
    doses
        In ascending order.
    change
        Copy of shots of shape (shots, sites) after a dose; the generator stands at the same place
        for all doses, so that curves are smooth.
    """

    name: str
    dose_name: str
    doses: tuple[float, ...]
    change: Callable[[Spins, float, np.random.Generator], Spins]

    @property
    def key(self) -> str:
        """Name as the names of arrays have it.

        >>> interventions_for(3, 8)[0].key
        'sign_scramble'
        """
        return self.name.replace(" ", "_")


def interventions_for(site_dim: int, sites: int) -> tuple[Intervention, ...]:
    """All interventions that make sense for chains of such spins, block flips among them.

    Half-integer spins have no state 0, so no zeros to be shuffled.

    >>> [one.name for one in interventions_for(2, 8)]
    ['sign scramble', 'sign shuffle', 'block flip']
    """
    found = [
        Intervention(
            name="sign scramble",
            dose_name="share of spins whose sign is drawn anew",
            doses=DOSES,
            change=lambda spins, dose, rng: sign_scrambled(spins, site_dim, dose, rng),
        ),
        Intervention(
            name="sign shuffle",
            dose_name="share of spins whose signs change places",
            doses=DOSES,
            change=lambda spins, dose, rng: sign_shuffled(spins, site_dim, dose, rng),
        ),
        Intervention(
            name="block flip",
            dose_name="length of a block (sites)",
            doses=block_lengths(sites),
            change=lambda spins, size, rng: control_copy(
                f"block flip {int(size)}", spins, site_dim, rng
            ),
        ),
    ]
    if is_integer_spin(site_dim):
        found += [
            Intervention(
                name="zero shuffle",
                dose_name="share of zeros that change places",
                doses=DOSES,
                change=lambda spins, dose, rng: zero_shuffled(spins, site_dim, dose, rng),
            )
        ]
    return tuple(found)


def block_lengths(sites: int) -> tuple[float, ...]:
    """Powers of two below the length of a chain, half of the chain, and the chain.

    >>> block_lengths(12)
    (1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
    """
    powers = {2.0**k for k in range(sites.bit_length()) if 2**k < sites}
    return tuple(sorted(powers | {float((sites + 1) // 2), float(sites)}))


def sign_scrambled(spins: Spins, site_dim: int, dose: float, rng: np.random.Generator) -> Spins:
    """Shots after a share of the spins got a random sign; each of them keeps its own half the time.

    Parameters
    ----------
    spins
        Outcomes, uint8 of shape (shots, sites).
    site_dim
        Number of local states d.
    dose
        Probability that the sign of a spin is drawn anew.
    rng
        Of the random choices.

    >>> spins = np.array([[0, 1, 1, 2, 0]], dtype=np.uint8)
    >>> sign_scrambled(spins, 3, 1.0, np.random.default_rng(0)).tolist()
    [[0, 1, 1, 0, 0]]
    """
    turned = rng.random(spins.shape) < dose / 2
    return np.where(turned, np.uint8(site_dim - 1) - spins, spins)


def sign_shuffled(spins: Spins, site_dim: int, dose: float, rng: np.random.Generator) -> Spins:
    """Shots after the signs of a share of the spins that are not 0 were dealt out to them again.

    The magnitude of each spin stays, and so does the number of signs of each kind: of spins 1/2 and
    1 the total magnetization. Such shots, unlike scrambled ones, a state that conserves it can
    give.

    Parameters
    ----------
    spins, site_dim, rng
        As of :func:`sign_scrambled`.
    dose
        Probability that a spin takes part.

    >>> spins = np.array([[0, 1, 1, 2, 0]], dtype=np.uint8)
    >>> sign_shuffled(spins, 3, 1.0, np.random.default_rng(1)).tolist()
    [[0, 1, 1, 0, 2]]
    """
    twice = 2 * spins.astype(np.int64) - (site_dim - 1)
    picked = (rng.random(spins.shape) < dose) & (twice != 0)
    keys = np.where(picked, rng.random(spins.shape), 2.0)
    # Sites that take no part come last in both orders, each in its own place.
    places = np.argsort(~picked, axis=1, kind="stable")
    origins = np.argsort(keys, axis=1, kind="stable")
    down = twice > 0
    dealt = np.empty_like(down)
    np.put_along_axis(dealt, places, np.take_along_axis(down, origins, axis=1), axis=1)
    return np.where(dealt != down, np.uint8(site_dim - 1) - spins, spins)


def zero_shuffled(spins: Spins, site_dim: int, dose: float, rng: np.random.Generator) -> Spins:
    """Shots after a share of the zeros were taken out and put back anywhere.

    All other spins keep their order, and so does the hidden order that they may have.

    Parameters
    ----------
    spins, site_dim, rng
        As of :func:`sign_scrambled`.
    dose
        Probability that a zero takes part.

    >>> spins = np.array([[0, 1, 1, 2, 0]], dtype=np.uint8)
    >>> zero_shuffled(spins, 3, 1.0, np.random.default_rng(1)).tolist()
    [[0, 2, 1, 0, 1]]
    """
    zero = site_dim // 2
    picked = (rng.random(spins.shape) < dose) & (spins == zero)
    places = np.argsort(rng.random(spins.shape), axis=1)
    moved = np.zeros_like(picked)
    chosen = np.arange(spins.shape[1]) < picked.sum(axis=1, keepdims=True)
    np.put_along_axis(moved, places, chosen, axis=1)
    result = np.full_like(spins, zero)
    # Row by row both masks have the same number of sites, in their order.
    result[~moved] = spins[~picked]
    return result


SYMMETRIES = ("global flip", "reflection", "translation by one site")
"""Of Hamiltonians of uniform chains; of an open chain the last one only away from its ends."""


def symmetry_image(name: str, spins: Spins, site_dim: int) -> Spins:
    """Shots after a symmetry operation; a translation takes the last site to the first place.

    >>> symmetry_image("global flip", np.array([[0, 1, 2]], dtype=np.uint8), 3).tolist()
    [[2, 1, 0]]
    """
    if name not in SYMMETRIES:
        raise SettingsError(f"symmetry {name!r} is unknown; wanted one of {', '.join(SYMMETRIES)}")
    if name == "global flip":
        return np.asarray(np.uint8(site_dim - 1) - spins)
    return np.ascontiguousarray(spins[:, ::-1]) if name == "reflection" else np.roll(spins, 1, 1)
