"""What can be read off a state, whatever holds it: TeNPy, a file, a train, or a list of arrays.

Each function here is the one of :mod:`phasenet.phases` of the same name, which takes trains alone;
here its state may be anything that :func:`as_state` takes. Who measures many things calls
:func:`as_state` once and gives its result to all of them: the canonical form is found once.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.central_charge import central_charge_of_chain as _central_charge_of_chain
from phasenet.phases.correlations import connected_correlations as _connected_correlations
from phasenet.phases.correlations import correlation_matrix as _correlation_matrix
from phasenet.phases.correlations import correlations as _correlations
from phasenet.phases.correlations import expectations as _expectations
from phasenet.phases.density_matrix import reduced_density_matrix as _reduced_density_matrix
from phasenet.phases.entanglement import entanglement_spectrum as _entanglement_spectrum
from phasenet.phases.entanglement import entropies as _entropies
from phasenet.phases.entanglement import schmidt_values as _schmidt_values
from phasenet.phases.fidelity import fidelity as _fidelity
from phasenet.phases.haegeman import haegeman_order as _haegeman_order
from phasenet.phases.local_orders import local_orders as _local_orders
from phasenet.phases.many_body import many_body_invariants as _many_body_invariants
from phasenet.phases.partial import partial_reflection as _partial_reflection
from phasenet.phases.partial import partial_time_reversal as _partial_time_reversal
from phasenet.phases.spt import invariants as _invariants
from phasenet.phases.string_report import string_report as _string_report
from phasenet.phases.strings import string_order as _string_order
from phasenet.phases.strings import string_pairs as _string_pairs
from phasenet.phases.strings import string_profile as _string_profile
from phasenet.phases.structure_factor import structure_factor as _structure_factor
from phasenet.phases.transfer_spectrum import transfer_spectrum as _transfer_spectrum
from phasenet.records import GroundState
from phasenet.storage.states import read_state
from phasenet.storage.tenpy_files import is_tenpy_file, read_tenpy_state
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, TensorTrain, check_cores


class TenpyMps(Protocol):
    """What is seen of a TeNPy MPS without loading tenpy."""

    bc: str
    sites: Sequence[Any]


AnyState = State | GroundState | Path | str | Sequence[Array] | TenpyMps
"""State in any form; see :func:`as_state`."""

P = ParamSpec("P")
R = TypeVar("R")


def as_state(mps: AnyState, infinite: bool = False) -> StateForm:
    """Canonical form of a state, whatever holds it; every function of phasenet takes it.

    Parameters
    ----------
    mps
        One of: a TeNPy MPS, finite or infinite, in any of its forms; a file with a state, ours or
        TeNPy's; a ground state or its train; or the cores, arrays of axes (left, site, right) with
        the local states in order of falling S^z, in any gauge and of any norm.
    infinite
        Of cores alone: whether they are the cell of an infinite state. Everything else knows.

    Raises
    ------
    ShapeError, SettingsError, StudyError, MissingInputError, FileKindError
        There is no such state, in one sentence.

    >>> singlet = [np.eye(2)[None], np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])]
    >>> print(as_state(singlet).schmidt_values[1].round(4).tolist())
    [0.7071, 0.7071]
    >>> print(as_state([np.full((1, 3, 1), 2.0)], infinite=True).infinite)
    True
    """
    if isinstance(mps, (list, tuple)):
        return _of_cores(mps, infinite=infinite)
    if infinite:
        raise SettingsError(
            f"infinite is for a list of arrays; a {type(mps).__name__} knows whether it is"
        )
    if isinstance(mps, (StateForm, TensorTrain, InfiniteTrain)):
        return state_form(mps)
    if isinstance(mps, GroundState):
        return state_form(mps.train)
    if isinstance(mps, (str, Path)):
        path = Path(mps)
        train = read_tenpy_state(path).train if is_tenpy_file(path) else read_state(path)[1].train
        return state_form(train)
    if any(base.__module__.split(".")[0] == "tenpy" for base in type(mps).__mro__):
        # TeNPy is loaded already, but phasenet's part that speaks to it takes long to load.
        return state_form(import_module("phasenet.groundstates.tenpy_intake").train_of_tenpy(mps))
    raise SettingsError(
        f"a {type(mps).__name__} is no state; wanted a TeNPy MPS, a train, a file with a state, or "
        "a list of arrays (left, site, right)"
    )


def of_any_state(
    measure: Callable[Concatenate[State, P], R],
) -> Callable[Concatenate[AnyState, P], R]:
    """The function, of a state in any form.

    >>> length = of_any_state(lambda state: state.length)
    >>> print(length([np.ones((1, 2, 1))] * 3))
    3
    """

    @wraps(measure)
    def measured(mps: AnyState, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return measure(as_state(mps), *args, **kwargs)

    return measured


string_order = of_any_state(_string_order)
string_profile = of_any_state(_string_profile)
string_pairs = of_any_state(_string_pairs)
string_report = of_any_state(_string_report)
spt_invariants = of_any_state(_invariants)
partial_reflection = of_any_state(_partial_reflection)
partial_time_reversal = of_any_state(_partial_time_reversal)
haegeman_order = of_any_state(_haegeman_order)
many_body_invariants = of_any_state(_many_body_invariants)
entanglement_spectrum = of_any_state(_entanglement_spectrum)
entropies = of_any_state(_entropies)
schmidt_values = of_any_state(_schmidt_values)
central_charge_of_chain = of_any_state(_central_charge_of_chain)
transfer_spectrum = of_any_state(_transfer_spectrum)
local_orders = of_any_state(_local_orders)
expectations = of_any_state(_expectations)
correlations = of_any_state(_correlations)
connected_correlations = of_any_state(_connected_correlations)
correlation_matrix = of_any_state(_correlation_matrix)
structure_factor = of_any_state(_structure_factor)
reduced_density_matrix = of_any_state(_reduced_density_matrix)


def fidelity(first: AnyState, second: AnyState) -> float:
    """Log fidelity per site of two states in any form; see :mod:`phasenet.phases.fidelity`.

    >>> up = [np.eye(2)[0].reshape(1, 2, 1)] * 4
    >>> tilted = [np.array([0.8, 0.6]).reshape(1, 2, 1)] * 4
    >>> print(f"{fidelity(up, tilted):.6f} {np.log(0.8):.6f}")
    -0.223144 -0.223144
    """
    return _fidelity(as_state(first), as_state(second))


def _of_cores(arrays: Sequence[Any], *, infinite: bool) -> StateForm:
    cores = tuple(np.asarray(array) for array in arrays)
    for site, core in enumerate(cores):
        if core.dtype.kind not in "biufc":
            raise ShapeError(f"core {site} is {core.dtype}; wanted arrays of numbers")
    check_cores(cores)
    if infinite:
        return state_form(canonical_cell(cores))
    ends = cores[0].shape[0], cores[-1].shape[2]
    if ends != (1, 1):
        raise ShapeError(
            f"the outer bonds of the cores are {ends[0]} and {ends[1]}; wanted 1 and 1, or "
            "as_state(cores, infinite=True) for the cell of an infinite state"
        )
    return state_form(TensorTrain(cores=cores))
