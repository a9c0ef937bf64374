"""The first sentence of a report: what a network reads, in words, or that nobody can tell.

Two kinds of evidence are weighed, of the class whose shots have the most string order. Explained
variance is linear: what strings add to the R² of densities and two-point functions. Interventions
are not: how far the loss of all order of signs moves the log odds, and how long the blocks are
whose flips do half of that. Where both agree there is a verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.findings import Section

ADDS = 0.05
"""R² that strings must add to be read: less is too little for any conclusion to rest on."""
NOTHING = 0.01
"""R² below which strings add nothing: no effect of this size would be quoted from an experiment."""
EXPLAINS = 0.5
"""R² of all families below which more of the function is unexplained than is explained."""
REACTS = 0.1
"""Index below which signs do not matter: a tenth of what sets the class apart from the others."""
LOCAL = 4.0
"""Distance in sites up to which correlations count as local, that of the two-point functions."""
CLEAR = 2.0
"""Standard errors that a length must be away from LOCAL to count as shorter or longer."""


@dataclass(frozen=True, kw_only=True)
class Variance:
    """R² of the log odds within a phase by nested families.

    Parameters
    ----------
    phase
        Whose states are mixed.
    uniform, densities, near, strings
        By densities of the whole chain; by those of single sites as well; by two-point functions
        and strings up to LOCAL sites as well; by longer strings as well. The last is NaN for
        half-integer spins and short chains, which have none.
    bound
        Largest error of each because of the train, or standard error over shots.
    sampled
        Whether they are of the network itself on fresh shots, as its train is too far from it.
    zeros
        Whether the density of zeros alone does what all uniform densities do.
    """

    phase: str
    uniform: float
    densities: float
    near: float
    strings: float
    bound: float
    sampled: bool
    zeros: bool


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """What interventions on the shots of a class did.

    Parameters
    ----------
    phase
        The class.
    signs, signs_error
        Index of the full sign scramble.
    reach, reach_error
        Half of the block length that halves the effect of block flips, in sites; NaN for none.
    """

    phase: str
    signs: float
    signs_error: float
    reach: float
    reach_error: float

    @property
    def absent(self) -> bool:
        """Whether signs do not matter."""
        return abs(self.signs) + CLEAR * self.signs_error < REACTS

    @property
    def short(self) -> bool:
        """Whether correlations up to LOCAL sites are all that matters of signs."""
        return self.absent or self.reach + CLEAR * self.reach_error <= LOCAL

    @property
    def long(self) -> bool:
        """Whether an order of signs over more than LOCAL sites matters."""
        reach = self.reach - CLEAR * self.reach_error
        return abs(self.signs) - CLEAR * self.signs_error > REACTS and reach > LOCAL


def report_verdict(sections: Sequence[Section]) -> str:
    """What the network reads, in a sentence with numbers.

    Parameters
    ----------
    sections
        Of a report; ``observable``, ``interventions`` and ``controls`` are looked at, and any of
        them may be missing.

    >>> report_verdict([])
    'undecided: neither ground states nor snapshots say what it reads.'
    """
    found = {section.name: section for section in sections}
    reaction = _reaction(found["interventions"]) if "interventions" in found else None
    variance = None
    if "observable" in found:
        variance = _variance(found["observable"], reaction.phase if reaction else None)
    facts = [*_numbers(variance, reaction), *_accuracy(found.get("controls"))]
    told = f" ({'; '.join(facts)})" if facts else ""
    return f"{_reading(variance, reaction)}{told}."


def _reading(variance: Variance | None, reaction: Reaction | None) -> str:
    if variance is None and reaction is None:
        return "undecided: neither ground states nor snapshots say what it reads"
    if variance is None:
        assert reaction is not None
        return _by_reaction(reaction)
    if np.isnan(variance.strings):
        return _without_strings(variance)
    added, doubt = variance.strings - variance.near, 2 * variance.bound
    adds, nothing = added - doubt > ADDS, added + doubt < NOTHING
    if not adds and variance.strings < EXPLAINS:
        return _unexplained(variance, reaction)
    if doubt > ADDS:
        return (
            "undecided: the train is too far from the network for what strings add to be told; "
            "lower its error"
        )
    if adds and (reaction is None or reaction.long):
        return f"reads string order, which adds {added:.3f} to what local correlations explain"
    if adds:
        return (
            f"undecided: strings add {added:.3f} to R², yet flips of blocks show no order of signs "
            f"beyond {LOCAL:g} sites"
        )
    if reaction is not None and reaction.long:
        return (
            f"undecided: an order of signs over {reaction.reach:.0f} sites matters, yet strings "
            "add next to nothing to R²"
        )
    if reaction is not None and not reaction.short:
        return (
            f"undecided: strings add {added:.3f} to R², and whether signs further than {LOCAL:g} "
            "sites apart matter is within the errors"
        )
    told = "nothing" if nothing else "little"
    return f"reads {_what(variance, reaction)}; string order adds {told}"


def _unexplained(variance: Variance, reaction: Reaction | None) -> str:
    """Most of the function is linear in no family."""
    if reaction is not None and reaction.long:
        return (
            f"reads an order of signs over {reaction.reach:.0f} sites, but not as a sum of strings"
        )
    return "undecided: all order parameters together leave more of it unexplained than they explain"


def _what(variance: Variance, reaction: Reaction | None) -> str:
    by_site = variance.densities - variance.uniform >= ADDS
    density = "the density of zeros" if variance.zeros else "local densities"
    if by_site:
        density = "densities site by site"
    if variance.near - variance.densities > variance.densities:
        return "short-range correlations"
    # Random signs change what is read of single sites, too.
    silent = by_site or reaction is None or reaction.absent
    if silent and variance.near - variance.densities < ADDS:
        return density
    return f"{density} and short-range correlations"


def _without_strings(variance: Variance) -> str:
    if variance.near < EXPLAINS:
        return (
            "undecided: densities and two-point functions leave more of it unexplained than they "
            "explain"
        )
    return (
        f"reads {_what(variance, None)}; string order was not asked for, as half-integer spins and "
        f"chains of {2 * LOCAL} sites at most have none beyond {LOCAL} sites"
    )


def _by_reaction(reaction: Reaction) -> str:
    """Without ground states there is no explained variance."""
    if reaction.long:
        return f"reacts to an order of signs over {reaction.reach:.0f} sites"
    if reaction.absent:
        return "does not react to signs, and so reads no string order"
    if reaction.short:
        return f"reacts to signs, but only up to {LOCAL:g} sites apart"
    return "undecided: how far apart the signs are that it reacts to is within the errors"


def _numbers(variance: Variance | None, reaction: Reaction | None) -> list[str]:
    facts = []
    if variance is not None:
        steps = [variance.uniform, variance.densities, variance.near, variance.strings]
        near = f"+ correlations up to {LOCAL:g} sites"
        names = ["densities", "site by site", near, "+ longer strings"]
        told = [f"{v:.3f} {n}" for v, n in zip(steps, names, strict=True) if np.isfinite(v)]
        where = f"{variance.phase}, on fresh shots," if variance.sampled else variance.phase
        facts.append(f"R² within {where} {' → '.join(told)}")
    if reaction is not None:
        share, error = 100 * reaction.signs, 100 * reaction.signs_error
        text = f"random signs move shots of {reaction.phase} {share:.1f} ± {error:.1f} % of the "
        text += "class gap"
        if np.isfinite(reaction.reach):
            text += f", as of signs {reaction.reach:.2f} ± {reaction.reach_error:.2f} sites apart"
        facts.append(text)
    return facts


def _accuracy(section: Section | None) -> list[str]:
    if section is None:
        return []
    shares = zip(section.labels["judges"], section.arrays["accuracy"][0], strict=True)
    known = [(name, value) for name, value in shares if np.isfinite(value)]
    (_, own), *rest = known
    beside = ", ".join(f"{name} {100 * value:.1f} %" for name, value in rest)
    return [f"right on {100 * own:.1f} %{f', {beside}' if beside else ''}"]


def _variance(section: Section, phase: str | None) -> Variance | None:
    """R² of the log odds of a phase, or of the one with the most string order."""
    arrays, labels = section.arrays, section.labels
    phases = [name for name in labels["measures"] if name in labels["classes"]]
    if phase not in phases:
        phase = _most_ordered(section, phases)
    place = labels["measures"].index(phase)
    classes = labels["classes"]
    # Of two classes there is one difference of logits, of more one for each class.
    target = 0 if len(classes) == 2 else classes.index(phase)
    shares = arrays["mixture_r2_nested"][place, target]
    bound = float(np.nan_to_num(arrays["mixture_r2_error_bound"][place, target]))
    name = "mixture_r2_nested_sampled"
    sampled = 2 * bound > ADDS and name in arrays and np.isfinite(arrays[name][place, target]).all()
    if sampled:
        shares = arrays[name][place, target]
        bound = float(arrays[f"{name}_error"][place, target].max())
    nested = dict(zip(labels["families"], shares, strict=True))
    if not np.isfinite(list(nested.values())).all():
        return None
    near = [value for family, value in nested.items() if family != "string"]
    return Variance(
        phase=phase,
        uniform=float(nested["density"]),
        densities=float(nested.get("profile", nested["density"])),
        near=float(near[-1]),
        strings=float(nested.get("string", np.nan)),
        bound=bound,
        sampled=bool(sampled),
        zeros=_zeros(section, place, target, float(nested["density"])),
    )


def _most_ordered(section: Section, phases: Sequence[str]) -> str:
    strings = np.abs(np.nan_to_num(section.arrays["string_of_state"]))
    labels = np.array(section.labels["phases"])
    return phases[int(np.argmax([strings[labels == name].mean() for name in phases]))]


def _zeros(section: Section, place: int, target: int, densities: float) -> bool:
    """Whether the sum of (S^z)^2 of spins 1 does almost all that uniform densities do."""
    names = section.labels["order parameters"]
    if "Sz^2" not in names or "Sz^3" in names:
        return False
    alone = section.arrays["mixture_r2_single"][place, target, names.index("Sz^2")]
    return bool(alone > 0.9 * densities)


def _reaction(section: Section) -> Reaction | None:
    """Answer of the network to sign scrambles and block flips, None without a clear class gap."""
    arrays, place = section.arrays, int(section.arrays["headline"])
    signs = float(arrays["sign_scramble_index"][0, place, -1])
    if np.isnan(signs):
        return None
    return Reaction(
        phase=section.labels["classes"][place],
        signs=signs,
        signs_error=float(arrays["sign_scramble_index_error"][0, place, -1]),
        reach=float(arrays["used_lengths"][0, place]) / 2,
        reach_error=float(np.nan_to_num(arrays["used_length_errors"][0, place])) / 2,
    )
