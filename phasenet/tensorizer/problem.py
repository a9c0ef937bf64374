"""What a construction starts from: a checked function, samples to use and samples to judge by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.tensorizer.charges import Charges, discovered
from phasenet.tensorizer.function import (
    BatchFunction,
    ChargeBrokenError,
    CountedFunction,
    SplitFunction,
)
from phasenet.tensorizer.pivots import IntArray, PivotSpace
from phasenet.tensorizer.probes import Reference, uniform
from phasenet.trains.train import Array, check_configurations

# Samples that are looked at before all others: pivots are chosen among them.
FIRST = 64
_HELD_OUT = 256
_UNIFORM = 128
_NOISE_EPSILONS = 64.0
_OFF_SECTOR = 64
_REPEATED = 16
_LEAST_LIT = 8
_DENSE = 0.75
# Batches of another size are summed in another order: that much noise is no other function.
_REPEAT_EPSILONS = 1e4


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A function with its samples, ready to be tensorized.

    Parameters
    ----------
    function
        The function, counted and remembered; its space knows the charges.
    samples
        Samples for the construction, shape (shots, length).
    data, spread
        Samples and uniform configurations kept away from the construction.
    tol
        Tolerance: the one asked for, or the noise floor of the function if that is larger.
    lifted
        Whether it is the noise floor.
    """

    function: CountedFunction
    samples: IntArray
    data: Reference
    spread: Reference
    tol: float
    lifted: bool


def prepare(
    function: BatchFunction,
    *,
    samples: Array,
    site_dims: Sequence[int],
    tol: float,
    charges: Charges | None,
    max_evaluations: int,
    batch_bytes: int,
    seed: int,
) -> Problem:
    """Check what the user gave, and evaluate the function where it will be judged.

    The parameters are those of :func:`phasenet.tensorize`.

    Raises
    ------
    SettingsError, ShapeError
        If anything about the function, the samples or the settings is wrong.
    """
    checked = _checked_samples(samples, site_dims)
    extender = function if isinstance(function, SplitFunction) else None
    none = Charges.none(site_dims)
    space = PivotSpace(site_dims, none, extender, stream(seed, "tensorizer", "keys"))
    batch = max(1, batch_bytes // (8 * len(site_dims)))
    counted = CountedFunction(function, space, max_evaluations=max_evaluations, batch_size=batch)
    build, held_out = _split(checked, max_evaluations, seed)
    spread = uniform(
        space.site_dims,
        min(_UNIFORM, max_evaluations // 8),
        stream(seed, "tensorizer", "uniform"),
    )
    # Evaluated first, so that a spent budget leaves no result without its errors.
    values = counted(held_out)
    lit = values.any(axis=1)
    if np.count_nonzero(lit) < min(_LEAST_LIT, len(values)):
        # Samples where the function is not zero are too rare to be kept from the construction.
        build = np.concatenate((build[:FIRST], held_out[lit], build[FIRST:]))
        held_out, values = held_out[~lit], values[~lit]
    data = Reference(points=held_out, values=values)
    other = Reference(points=spread, values=counted(spread))
    _check_repeatable(counted, data)
    space.charges = _settled_charges(counted, charges, build, seed, dense=other.lit > _DENSE)
    noise = _NOISE_EPSILONS * counted.precision
    return Problem(
        function=counted,
        samples=build,
        data=data,
        spread=other,
        tol=max(tol, noise),
        lifted=noise > tol,
    )


def zero_on(samples: int) -> SettingsError:
    """Error of a function that vanishes on all samples, of which there are so many."""
    return SettingsError(
        f"the function is zero on all of {samples} samples; give samples where it is not"
    )


def broken(charges: Charges) -> SettingsError:
    """Error of a function that is not zero outside the sector that the user named."""
    return SettingsError(
        f"the function is not zero outside the sector of its charges ({charges}); "
        "leave the charges away"
    )


def _split(samples: IntArray, max_evaluations: int, seed: int) -> tuple[IntArray, IntArray]:
    """Samples for the construction, the first ones first, and samples held out from it."""
    first = min(FIRST, len(samples) // 2)
    order = first + stream(seed, "tensorizer", "split").permutation(len(samples) - first)
    count = max(1, min(_HELD_OUT, len(samples) // 4, max_evaluations // 8))
    return np.concatenate((samples[:first], samples[order[count:]])), samples[order[:count]]


def _checked_samples(samples: Array, site_dims: Sequence[int]) -> IntArray:
    if len(site_dims) == 0 or min(site_dims) < 1:
        raise SettingsError(f"site_dims is {list(site_dims)}; every site needs at least one state")
    checked = check_configurations(samples, site_dims)
    if len(checked) < 2:
        raise SettingsError(
            f"there are {len(checked)} samples; wanted at least 2, of which one is held out"
        )
    return checked.astype(np.int64)


def _check_repeatable(function: CountedFunction, data: Reference) -> None:
    """Raise unless the function says the same again, in a batch of another size and order."""
    points, values = data.points[:_REPEATED][::-1], data.values[:_REPEATED][::-1]
    off = np.abs(function.repeated(points) - values)
    allowed = _REPEAT_EPSILONS * function.precision * max(float(np.abs(data.values).max()), 1e-300)
    if off.max() > allowed:
        worst = int(off.max(axis=1).argmax())
        raise SettingsError(
            f"the function changed by {off.max():.1e} when configuration "
            f"{points[worst].tolist()} was asked again; wanted a deterministic function "
            "(a network must be in evaluation mode, without dropout)"
        )


def _settled_charges(
    function: CountedFunction, charges: Charges | None, samples: IntArray, seed: int, *, dense: bool
) -> Charges:
    """Return the charges given, or those of the samples if the function vanishes elsewhere."""
    space = function.space
    none = Charges.none(space.site_dims)
    if charges is not None and tuple(len(w) for w in charges.weights) != space.site_dims:
        raise SettingsError(
            f"the charges are for site_dims {[len(w) for w in charges.weights]}, "
            f"but the function has {list(space.site_dims)}"
        )
    if charges is None and dense:
        # No charge leaves a function that uniform configurations see nearly everywhere.
        return none
    found = discovered(samples, space.site_dims) if charges is None else charges
    if found.count == 0:
        return found
    rng = stream(seed, "tensorizer", "sectors")
    off = samples[rng.integers(len(samples), size=4 * _OFF_SECTOR)].copy()
    strange = uniform(space.site_dims, len(off), rng)
    sites, rows = rng.integers(space.length, size=len(off)), np.arange(len(off))
    off[rows, sites] = strange[rows, sites]
    off = off[~found.allowed(found.of(off))][:_OFF_SECTOR]
    space.charges = found
    try:
        function(np.concatenate((off, samples[:1])))
    except ChargeBrokenError:
        if charges is None:
            return none
        raise broken(charges) from None
    return found
