"""Strings of operators along a state: their two ends, and what lies between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from phasenet.criteria import StringOrder
from phasenet.operators import Operator
from phasenet.phases.spins import on_site
from phasenet.trains.blocks import Environment, joined, overlap, through
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray

# Sites where strings begin, and their left environments as one batch.
_Batch = tuple[tuple[int, ...], Environment]


@dataclass(frozen=True, kw_only=True, eq=False)
class Closing:
    """Strings that end at one place.

    Parameters
    ----------
    place
        Site where the right end begins.
    starts
        Sites where the strings begin.
    values
        Expectation values without the factor of the string, complex if the state or an operator is.
    """

    place: int
    starts: tuple[int, ...]
    values: Array


def left_end(form: StateForm, string: StringOrder, start: int) -> Environment:
    """Everything left of where the inside of a string begins, with its left end.

    Parameters
    ----------
    form, string
        State and string.
    start
        Site where the left end begins.
    """
    environment: Environment = form.left_environment(start)
    for site, operator in enumerate(string.left, start):
        environment = passed(form, environment, site, operator)
    return environment


def right_end(form: StateForm, string: StringOrder, place: int) -> Environment:
    """Everything right of where the inside of a string ends, with its right end.

    Parameters
    ----------
    form, string
        State and string.
    place
        Site where the right end begins.
    """
    last = place + len(string.right) - 1
    environment: Environment = form.right_environment(last)
    for site, operator in zip(range(last, place - 1, -1), string.right[::-1], strict=True):
        environment = passed_back(form, environment, site, operator)
    return environment


def passed(form: StateForm, left: Environment, site: int, operator: Operator) -> Environment:
    """Left environment after one site with an operator on it."""
    core = form.site(site)
    return through(left, core, core, _matrix(operator, core.site_dim))


def passed_back(form: StateForm, right: Environment, site: int, operator: Operator) -> Environment:
    """Right environment before one site with an operator on it."""
    core = form.site(site).mirrored
    return through(right, core, core, _matrix(operator, core.site_dim))


def closings(form: StateForm, string: StringOrder, spans: Mapping[int, range]) -> Iterator[Closing]:
    """Values of strings by where they end; many strings go through a site at about the cost of one.

    Parameters
    ----------
    form, string
        State and string.
    spans
        Sites where left ends begin, and for each the sites where its right end may begin.

    >>> from phasenet.phases.exact import product_chain
    >>> from phasenet.trains.form import state_form
    >>> neel = state_form(product_chain([0, 1] * 2, 2))
    >>> string = StringOrder.parse("Sz [Rz Rz] Sz")
    >>> for found in closings(neel, string, {0: range(1, 4), 1: range(2, 4)}):
    ...     print(found.place, found.starts, found.values.real.tolist())
    1 (0,) [-0.25]
    2 (1,) [-0.25]
    3 (0,) [-0.25]
    """
    inside, reach = string.inside, len(string.left)
    spans = {start: span for start, span in spans.items() if len(span)}
    # By the place of the inside that is at site 0: its strings have the same operator everywhere.
    batches: dict[int, _Batch] = {}
    beyond = max((span.stop for span in spans.values()), default=0)
    for site in range(min(spans) + reach if spans else 0, beyond):
        phase = site % len(inside)
        if site - reach in spans:
            begun = left_end(form, string, site - reach)
            batches[phase] = _grown(batches.get(phase), site - reach, begun)
        here = batches.get(phase, ((), {}))
        ended = [site in spans[start] for start in here[0]]
        if any(ended):
            yield _closed(form, string, site, _chosen(here, ended))
        for begin, batch in batches.items():
            kept = _chosen(batch, [spans[start].stop > site + 1 for start in batch[0]])
            batches[begin] = kept
            if kept[0]:
                operator = inside[(site - begin) % len(inside)]
                batches[begin] = kept[0], passed(form, kept[1], site, operator)


def real(values: Array) -> FloatArray:
    """Real part, without negative zeros."""
    return np.asarray(np.real(values) + 0.0)


def _grown(batch: _Batch | None, start: int, begun: Environment) -> _Batch:
    """Batch with one more string."""
    if batch is None or not batch[0]:
        return (start,), begun
    starts, environment = batch
    return (*starts, start), joined([environment, begun], [len(starts), 1])


def _chosen(batch: _Batch, chosen: list[bool]) -> _Batch:
    """Some strings of a batch."""
    if all(chosen):
        return batch
    starts, environment = batch
    return (
        tuple(start for start, keep in zip(starts, chosen, strict=True) if keep),
        {key: values[:, chosen] for key, values in environment.items()},
    )


def _closed(form: StateForm, string: StringOrder, place: int, batch: _Batch) -> Closing:
    starts, environment = batch
    values = overlap(environment, right_end(form, string, place))[:, 0]
    if len(values) != len(starts):
        # No block of the environment was left.
        values = np.zeros(len(starts))
    return Closing(place=place, starts=starts, values=values)


def _matrix(operator: Operator, site_dim: int) -> Array | None:
    return None if operator == "1" else on_site(operator, site_dim)
