"""DMRG by TeNPy's engines: the bond dimension grows in steps until the truncation is small.

Two-site sweeps choose the bond states, and in an open chain one-site sweeps then find the lowest
state that these can hold: what a two-site sweep optimises it loses again in part by its truncation.
All options that TeNPy is given are built here, and one that it does not use is an error.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tenpy.algorithms.dmrg import SingleSiteDMRGEngine, TwoSiteDMRGEngine
from tenpy.tools.optimization import temporary_level
from tenpy.tools.params import Config

from phasenet.errors import StudyError
from phasenet.groundstates.convert import to_train
from phasenet.groundstates.mirror import mirrored
from phasenet.records import DmrgOutcome
from phasenet.settings import FiniteSettings, InfiniteSettings
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import FloatArray

History = Mapping[str, FloatArray]

_MIXER_AMPLITUDE = 1e-4
_MIXED_SWEEPS = {True: 3, False: 10}  # of an open chain, of an infinite one
_SWEEPS_PER_CHECK = {True: 1, False: 10}
# Sweeps that move the environments of an infinite chain along, at each check.
_ENVIRONMENT_SWEEPS = 5
# Krylov vectors of each update. Sweeps of an open chain correct each other; each update of an
# infinite one goes into the environments for good, and with few vectors it may run away.
_VECTORS, _FIRST_VECTORS = {True: 2, False: 20}, {True: 3, False: 20}
# While the bond still grows, per site and in nats.
_LOOSE_ENERGY_ATOL, _LOOSE_ENTROPY_ATOL = 1e-6, 1e-2
_LOOSE_CHECKS = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one search does.

    Parameters
    ----------
    bonds
        Bond dimensions, one for each step.
    exact_from
        Steps from this bond dimension on converge to the tolerances of the settings, those below
        only roughly.
    mixed
        Whether density matrices are mixed at first, as a product state needs.
    """

    bonds: tuple[int, ...]
    exact_from: int
    mixed: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimised:
    """Where a search ended.

    Parameters
    ----------
    psi
        TeNPy's canonical state.
    superposed
        Whether it grew out of a superposition with a mirror image.
    energy
        Per site.
    truncation
        Largest discarded weight of the last sweep.
    sweeps
        Of all steps.
    history
        As in :class:`phasenet.records.GroundState`; only of steps that came to their end.
    """

    psi: Any
    superposed: bool
    energy: float
    truncation: float
    sweeps: int
    outcome: DmrgOutcome
    history: History


def bond_steps(first: int, largest: int, *, least: int = 1) -> tuple[int, ...]:
    """Bond dimensions from the largest down by halves, none below the first, in rising order.

    Parameters
    ----------
    first, largest
        First and largest bond dimension.
    least
        Number of steps that there are at least, even below the first.

    >>> bond_steps(16, 64), bond_steps(16, 100), bond_steps(64, 32), bond_steps(64, 32, least=2)
    ((16, 32, 64), (25, 50, 100), (32,), (16, 32))
    """
    steps = [largest]
    while steps[0] > 1 and (steps[0] >= 2 * first or len(steps) < least):
        steps.insert(0, steps[0] // 2)
    return tuple(steps)


def optimise(
    psi: Any,
    model: Any,
    settings: FiniteSettings | InfiniteSettings,
    plan: Plan,
    *,
    done: History,
    sweeps: int,
    should_stop: Callable[[], bool],
    is_enough: Callable[[Any], bool],
) -> Optimised:
    """Ground state of a model from a starting state, which is changed.

    Parameters
    ----------
    psi, model
        TeNPy's.
    settings
        Tolerances and limits.
    plan
        Steps to be done.
    done, sweeps
        History and sweeps of an earlier part of the same search.
    should_stop
        Asked after each sweep of an open chain and every few of an infinite one.
    is_enough
        Asked of the state after each step; true ends the search there.

    Returns
    -------
    The search stops after the first step whose truncation is small enough, or after the last.
    """
    # The checks of each contraction cost a quarter of the time.
    with temporary_level("skip_arg_checks"):
        search = _Search(psi, model, settings, plan, sweeps)
        history = {name: list(values) for name, values in done.items()}
        outcome = DmrgOutcome.BOND_LIMIT
        for bond in plan.bonds:
            ended = search.step(bond, should_stop)
            if ended is not None:
                outcome = ended
                break
            _add(history, search.summary(bond))
            if search.truncation <= settings.truncation_atol:
                outcome = DmrgOutcome.CONVERGED
                break
            if is_enough(search.psi):
                break
        psi = search.finish()
    return Optimised(
        psi=psi,
        superposed=search.superposed,
        energy=search.energy,
        truncation=search.truncation,
        sweeps=search.sweeps,
        outcome=outcome,
        history={name: np.asarray(values, dtype=float) for name, values in history.items()},
    )


def _add(history: dict[str, list[float]], entry: dict[str, float]) -> None:
    """Append one step, in the place of an earlier one with the same bond dimension."""
    again = history.get("max_bond", [])[-1:] == [entry["max_bond"]]
    for name, value in entry.items():
        values = history.setdefault(name, [])
        values[len(values) - again :] = [value]


class _Search:
    """A search in progress."""

    def __init__(
        self,
        psi: Any,
        model: Any,
        settings: FiniteSettings | InfiniteSettings,
        plan: Plan,
        sweeps: int,
    ) -> None:
        self.settings, self.plan, self.sweeps = settings, plan, sweeps
        self.finite = bool(psi.finite)
        self.energy = self.entropy = self.truncation = math.nan
        self.superposed = False
        options = _options(settings, plan.bonds[0], mixed=plan.mixed, finite=self.finite)
        self._engine = TwoSiteDMRGEngine(psi, model, options)
        self._engine.mixer_activate()

    @property
    def psi(self) -> Any:
        """TeNPy's state so far."""
        return self._engine.psi

    def step(self, bond: int, should_stop: Callable[[], bool]) -> DmrgOutcome | None:
        """Sweep at one bond dimension until it has converged; else the reason that ended it."""
        self._engine.trunc_params["chi_max"] = bond
        if not self.finite and self._is_exact(bond):
            return self._until(self._is_done, should_stop)
        ended = self._until(self._is_settled, should_stop, at_most=_LOOSE_CHECKS)
        if ended is not None or not self._is_exact(bond):
            return ended
        if not self.finite:
            return self._until(self._is_done, should_stop)
        psi, ended = self._lower(bond, should_stop)
        self._restart(SingleSiteDMRGEngine, psi, bond)
        return ended or self._until(self._is_done, should_stop)

    def summary(self, bond: int) -> dict[str, float]:
        """One entry of the history."""
        psi = self._engine.psi
        entry = {
            "max_bond": float(bond),
            "sweeps": float(self.sweeps),
            "energy": self.energy,
            "truncation": self.truncation,
        }
        if self.finite:
            return {**entry, "entropy": float(psi.entanglement_entropy()[psi.L // 2 - 1])}
        psi = psi.copy()
        psi.canonical_form()
        train = to_train(psi)
        assert isinstance(train, InfiniteTrain)
        entropy = float(psi.entanglement_entropy()[0])
        return {**entry, "entropy": entropy, "correlation_length": correlation_length(train)}

    def finish(self) -> Any:
        """State, canonical."""
        if self._engine.mixer is not None:
            self._engine.mixer_deactivate()
        self._engine.post_run_cleanup()
        check_options_used(self._engine.options, "TeNPy's DMRG")
        return self._engine.psi

    def _restart(self, kind: Any, psi: Any, bond: int) -> None:
        """Go on with another engine, or from another state."""
        self.finish()
        options = _options(self.settings, bond, mixed=False, finite=self.finite)
        self._engine = kind(psi, self._engine.model, options)
        self._engine.mixer_activate()
        # The search may end before the next sweep.
        self._engine.trunc_params.touch("chi_max", "svd_min")
        self._engine.lanczos_params.touch("N_min", "N_max")

    def _lower(self, bond: int, should_stop: Callable[[], bool]) -> tuple[Any, DmrgOutcome | None]:
        """State so far, or the superposition with its mirror image where that ends lower."""
        gain_atol = 2.0 * self.settings.energy_atol
        psi, before = self.psi, (self.energy, self.entropy, self.truncation)
        other = mirrored(psi, self._engine.model, gain_atol * psi.L)
        if other is None:
            return psi, None
        self._restart(TwoSiteDMRGEngine, other, bond)
        ended = self._until(self._is_settled, should_stop, at_most=_LOOSE_CHECKS)
        self.superposed = ended is None and self.energy < before[0] - gain_atol
        if self.superposed:
            return other, None
        self.energy, self.entropy, self.truncation = before
        return psi, ended

    def _until(
        self,
        is_done: Callable[[tuple[float, float]], bool],
        should_stop: Callable[[], bool],
        at_most: int | None = None,
    ) -> DmrgOutcome | None:
        """Sweep until it is done, or for some checks; else the reason that ended it."""
        checks = 0
        while True:
            vectors = _FIRST_VECTORS if checks == 0 else _VECTORS
            self._engine.lanczos_params["N_max"] = vectors[self.finite]
            # Small blocks are diagonalised without Krylov vectors.
            self._engine.lanczos_params.touch("N_min", "N_max")
            change = self._sweeps()
            if not math.isfinite(self.energy):
                return DmrgOutcome.SWEEP_LIMIT
            if self._engine.mixer is None:
                checks += 1
                if checks == at_most or (checks > 1 and is_done(change)):
                    return None
            if self.sweeps >= self.settings.max_sweeps:
                return DmrgOutcome.SWEEP_LIMIT
            if should_stop():
                return DmrgOutcome.INTERRUPTED

    def _sweeps(self) -> tuple[float, float]:
        """Sweep until the next check; change of energy per site and mean entropy per sweep."""
        engine = self._engine
        left = max(self.settings.max_sweeps - self.sweeps, 1)
        count = min(_SWEEPS_PER_CHECK[self.finite], left)
        for _ in range(count):
            truncation = float(engine.sweep())
        if engine.n_optimize == 2:
            self.truncation = truncation
        if not self.finite:
            engine.environment_sweeps(engine.options["update_env"])
        self.sweeps += count
        before = self.energy, self.entropy
        self.energy, self.entropy = self._energy(), self._entropy()
        return (self.energy - before[0]) / count, (self.entropy - before[1]) / count

    def _energy(self) -> float:
        """Energy per site."""
        psi, stats = self._engine.psi, self._engine.update_stats
        energies, ages = stats["E_total"], stats["age"]
        if self.finite:
            return float(energies[-1] / psi.L)
        back = min(1 + 2 * psi.L, len(ages))
        return float((energies[-1] - energies[-back]) / (ages[-1] - ages[-back]))

    def _entropy(self) -> float:
        """Mean entropy of all bonds; unknown where the mixer has left matrices on them."""
        psi = self._engine.psi
        if any(psi.get_SL(site).ndim > 1 for site in range(psi.L)):
            return math.nan
        return float(np.mean(psi.entanglement_entropy()))

    def _is_exact(self, bond: int) -> bool:
        """Whether the tolerances of the settings hold here: a small truncation ends the growth."""
        return bond >= self.plan.exact_from or self.truncation <= self.settings.truncation_atol

    def _is_done(self, change: tuple[float, float]) -> bool:
        energy, entropy = map(abs, change)
        return energy < self.settings.energy_atol and entropy < self.settings.entropy_atol

    def _is_settled(self, change: tuple[float, float]) -> bool:
        """Whether a larger bond, or one-site sweeps, can take over."""
        energy_atol = max(self.settings.energy_atol, self.truncation, _LOOSE_ENERGY_ATOL)
        entropy_atol = max(self.settings.entropy_atol, _LOOSE_ENTROPY_ATOL)
        return abs(change[0]) < energy_atol and abs(change[1]) < entropy_atol


def _options(
    settings: FiniteSettings | InfiniteSettings, bond: int, *, mixed: bool, finite: bool
) -> dict[str, Any]:
    """All that TeNPy is told; the bond dimension and the Krylov vectors change during the run."""
    options: dict[str, Any] = {
        "combine": True,
        "mixer": mixed,
        "trunc_params": {"chi_max": bond, "svd_min": settings.cutoff},
        "lanczos_params": {"N_min": 2, "N_max": _FIRST_VECTORS[finite]},
    }
    if not finite:
        options["update_env"] = _ENVIRONMENT_SWEEPS
    if mixed:
        options["mixer_params"] = {
            "amplitude": _MIXER_AMPLITUDE,
            "decay": 2.0,
            "disable_after": _MIXED_SWEEPS[finite],
        }
    return options


def check_options_used(options: Any, whose: str) -> None:
    """Raise StudyError if TeNPy has not read an option that it was given.

    Parameters
    ----------
    options
        TeNPy's configuration, with those inside it.
    whose
        Who got them, for the message.

    >>> config = Config({"Jz": 1.0, "Jzz": 2.0}, "model")
    >>> config.get("Jz", 0.0)
    1.0
    >>> check_options_used(config, "the model")
    Traceback (most recent call last):
    phasenet.errors.StudyError: the model got the option 'Jzz' and does not use it; look for a typo
    """
    unused = sorted(map(str, options.unused))
    for value in options.options.values():
        if isinstance(value, Config):
            check_options_used(value, whose)
    if unused:
        # TeNPy would warn of it once more when it forgets the options.
        options.unused.clear()
        plural = "options" if len(unused) > 1 else "option"
        raise StudyError(
            f"{whose} got the {plural} {', '.join(map(repr, unused))} and does not use "
            f"{'them' if len(unused) > 1 else 'it'}; look for a typo"
        )
