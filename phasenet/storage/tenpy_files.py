"""Matrix product states that somebody saved with plain TeNPy, read with h5py alone.

Taken are the files of ``tenpy.tools.hdf5_io.save``: the state itself, a dictionary that holds it,
or the results of a simulation. See :mod:`phasenet.storage.tenpy_layout` on why TeNPy's own loader
is not used.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from phasenet.errors import FileKindError, MissingInputError
from phasenet.storage import tenpy_layout as layout
from phasenet.storage.tenpy_charges import bond_charges
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.inner import log_norm
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

Read = TypeVar("Read")
Form = tuple[float, float]

_RIGHT_FORM: Form = (0.0, 1.0)
_STATE_PARTS = {"tensors", "singular_values", "canonical_form", "boundary_condition", "sites"}
_SAVED_TYPES = {"instance", "simple_dict", "dict", "list", "tuple"}
_DAMAGE = (
    *(KeyError, IndexError, AttributeError, TypeError, ValueError),
    *(RuntimeError, OverflowError, MemoryError),
)
# A finite chain further off than TeNPy leaves its own results is made canonical again, at no loss;
# of such an infinite one, neither the form nor the Schmidt values can be relied on.
_FINITE_ATOL = 1e-9
_INFINITE_ATOL = 1e-6
_ROUNDING = 1e-12
_MEND = "call psi.canonical_form() and save it again"


@dataclass(frozen=True, kw_only=True, eq=False)
class TenpyState:
    """Matrix product state from a file of TeNPy.

    Parameters
    ----------
    train
        Right-canonical cores; the norm of an open chain is in ``log_scale``.
    schmidt_values
        On the bond left of each core; for an open chain the first is (1,).
    spin
        Spin of each site. None if the sites tell no spin or differ; sites that tell no spin keep
        the local basis that TeNPy has without conserved charges.
    charge
        Name of the one charge that spins conserve, as TeNPy has it, else empty.
    bond_charges
        Charge of each index of the bond left of each core and, last, right of the last one; nothing
        where there is no charge, or the bonds had to be changed to make the state canonical.
    """

    train: TensorTrain | InfiniteTrain
    schmidt_values: tuple[FloatArray, ...]
    spin: float | None
    charge: str
    bond_charges: tuple[IntArray, ...]


@dataclass(frozen=True, kw_only=True)
class TenpyNotes:
    """What a file says besides the state.

    Parameters
    ----------
    energy
        Of the whole open chain or, if infinite, per site; None where there is none.
    couplings
        By name.
    phasenet
        What :mod:`phasenet.groundstates.exported` wrote down.
    """

    energy: float | None
    couplings: Mapping[str, float]
    phasenet: Mapping[str, str | float]


def read_tenpy_notes(path: Path | str) -> TenpyNotes:
    """Energy and couplings that a dictionary has beside the state, as a simulation's results do.

    Raises
    ------
    MissingInputError, FileKindError
    """
    return _opened(Path(path), _notes)


def is_tenpy_file(path: Path) -> bool:
    """Whether a file looks like one that TeNPy has saved; never raises.

    >>> is_tenpy_file(Path("no_such_file.h5"))
    False
    """

    def looks(file: h5py.File) -> bool:
        values = [file, *(value for _, value in layout.entries(file))]
        return "kind" not in file.attrs and any(layout.kind(v) in _SAVED_TYPES for v in values)

    try:
        return _opened(path, looks)
    except (FileKindError, MissingInputError):
        return False


def read_tenpy_state(path: Path | str) -> TenpyState:
    """Finite or infinite MPS of a file of TeNPy: the state itself, or a dictionary with ``psi``.

    Every canonical form of TeNPy is taken. Real tensors stay real.

    Raises
    ------
    MissingInputError
        There is no such file.
    FileKindError
        The file is truncated or foreign, or holds no MPS of this kind.

    Examples
    --------
    >>> read_tenpy_state(Path("no_such_file.h5"))
    Traceback (most recent call last):
    phasenet.errors.MissingInputError: no file no_such_file.h5
    """
    return _opened(Path(path), lambda file: _state(_find_state(file)))


def _opened(path: Path, reader: Callable[[h5py.File], Read]) -> Read:
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        with h5py.File(path, "r") as file:
            return reader(file)
    except OSError as error:
        raise FileKindError(
            f"{path} is truncated, locked or no HDF5 file ({_short(error)}); save the state again"
        ) from error
    except _DAMAGE as error:
        raise FileKindError(f"{path} holds no MPS that phasenet reads: {_short(error)}") from error


def _short(error: Exception) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())[:200]


def _find_state(file: h5py.File) -> h5py.Group:
    if set(file) >= _STATE_PARTS:
        return file
    groups = {name: v for name, v in layout.entries(file) if isinstance(v, h5py.Group)}
    states = {name: group for name, group in groups.items() if set(group) >= _STATE_PARTS}
    if "psi" in states:
        return states["psi"]
    if len(states) == 1:
        return next(iter(states.values()))
    found = f"the states {', '.join(sorted(states))}" if states else "no state"
    raise ValueError(f"it has {found}; wanted one state, or one that is named psi")


def _state(group: h5py.Group) -> TenpyState:
    boundary = layout.text(layout.child(group, "boundary_condition"))
    if boundary not in ("finite", "infinite"):
        raise ValueError(f"its boundary conditions are {boundary!r}; wanted finite or infinite")
    if group.attrs.get("grouped", 1) != 1:
        raise ValueError("its sites are grouped; call psi.group_split() and save it again")
    tensors = [_tensor(item, site) for site, item in enumerate(_parts(group, "tensors"))]
    sites = _parts(group, "sites")
    bases = [_basis(item, t.shape[1]) for item, t in zip(sites, tensors, strict=True)]
    cores = [tensor[:, order] for tensor, (order, _) in zip(tensors, bases, strict=True)]
    forms = [_form(item) for item in _parts(group, "canonical_form")]
    values = [_singular_values(item) for item in _parts(group, "singular_values")]
    if len(forms) != len(cores) or len(values) != len(cores) + (boundary == "finite"):
        raise ValueError(
            f"{len(cores)} tensors do not go with {len(forms)} canonical forms "
            f"and {len(values)} sets of singular values"
        )
    spins = {spin for _, spin in bases}
    spin = spins.pop() if len(spins) == 1 else None
    train: TensorTrain | InfiniteTrain
    if boundary == "infinite":
        train = _infinite_train(cores, values, forms)
        schmidt = train.schmidt_values
    else:
        train, schmidt = _finite_train(cores, values, forms, group.attrs.get("norm", 1.0))
    charge, bonds = bond_charges(_parts(group, "tensors"), train.cores) if spin else ("", ())
    return TenpyState(
        train=train, schmidt_values=schmidt, spin=spin, charge=charge, bond_charges=bonds
    )


def _notes(file: h5py.File) -> TenpyNotes:
    found = {} if set(file) >= _STATE_PARTS else dict(layout.entries(file))
    energy = _scalar(found["energy"]) if "energy" in found else None
    return TenpyNotes(
        energy=energy if isinstance(energy, float) else None,
        couplings={k: v for k, v in _scalars(found, "couplings").items() if isinstance(v, float)},
        phasenet=_scalars(found, "phasenet"),
    )


def _scalars(found: Mapping[str, Any], name: str) -> dict[str, str | float]:
    group = found.get(name)
    values = layout.entries(group) if isinstance(group, h5py.Group) else ()
    scalars = {key: _scalar(value) for key, value in values}
    return {key: value for key, value in scalars.items() if value is not None}


def _scalar(item: Any) -> str | float | None:
    """Text or real number, else None."""
    if not isinstance(item, h5py.Dataset) or item.shape != ():
        return None
    if h5py.check_string_dtype(item.dtype) is not None:
        return layout.text(item)
    return float(layout.numbers(item)) if item.dtype.kind in "iuf" else None


def _parts(group: h5py.Group, name: str) -> list[Any]:
    return layout.items(layout.child(group, name))


def _tensor(item: h5py.Group, site: int) -> Array:
    """Core (left, site, right) in TeNPy's local basis."""
    legs = [
        layout.text(leg) if layout.kind(leg) == "str" else "?" for leg in _parts(item, "labels")
    ]
    if sorted(legs) != ["p", "vL", "vR"]:
        raise ValueError(f"tensor {site} has legs {', '.join(legs)}; wanted vL, p, vR")
    core = layout.dense(item).transpose([legs.index(leg) for leg in ("vL", "p", "vR")])
    if not np.all(np.isfinite(core)):
        raise ValueError(f"tensor {site} holds NaN or infinity")
    return core


def _form(item: Any) -> Form | None:
    """Powers of the singular values in a tensor, left and right of Vidal's Gamma."""
    if layout.kind(item) == "None":
        return None
    left, right = (float(layout.numbers(power)) for power in layout.items(item))
    return left, right


def _singular_values(item: Any) -> Array | None:
    """Vector; a matrix, where DMRG was stopped while it mixed; or None."""
    if layout.kind(item) == "None":
        return None
    return layout.dense(item) if isinstance(item, h5py.Group) else layout.numbers(item)


def _finite_train(
    cores: list[Array], values: list[Array | None], forms: list[Form | None], norm: complex
) -> tuple[TensorTrain, tuple[FloatArray, ...]]:
    size = abs(norm)
    if not 0.0 < size < math.inf:
        raise ValueError(f"its norm is {norm}; wanted a finite number other than 0")
    schmidt = _unit_vectors(values[:-1])
    log_scale = math.log(size)
    if any(form != _RIGHT_FORM for form in forms) or not _defect(cores, schmidt) < _FINITE_ATOL:
        train = _product(cores, values, forms)
        form = state_form(train)
        cores, schmidt = list(form.cores), list(form.schmidt_values)
        log_scale += log_norm(train)
    phase = norm / size
    first = cores[0] * (phase if phase.imag else phase.real)
    return TensorTrain(cores=(first, *cores[1:]), log_scale=log_scale), tuple(schmidt)


def _product(
    cores: Sequence[Array], values: Sequence[Array | None], forms: Sequence[Form | None]
) -> TensorTrain:
    """Train with the singular values of each bond exactly once."""
    known = [form for form in forms if form is not None]
    result = list(cores)
    # As in TeNPy, a single tensor without a form says that all are to be taken as they are.
    for bond in range(1, len(cores)) if len(known) == len(cores) else ():
        power = 1.0 - known[bond - 1][1] - known[bond][0]
        if power != 0.0:
            matrix = _power(values[bond], power, bond)
            result[bond] = np.tensordot(matrix, result[bond], axes=(1, 0))
    return TensorTrain(cores=tuple(result))


def _power(values: Array | None, power: float, bond: int) -> Array:
    if values is None or (values.ndim != 1 and power not in (1.0, -1.0)):
        raise ValueError(f"bond {bond} has no vector of singular values; {_MEND}")
    if values.ndim != 1:
        return values if power == 1.0 else np.asarray(np.linalg.pinv(values))
    if power < 0.0 and np.any(values <= 0.0):
        raise ValueError(f"bond {bond} has a singular value 0 to divide by; {_MEND}")
    return np.asarray(np.diag(values**power))


def _infinite_train(
    cores: Sequence[Array], values: Sequence[Array | None], forms: Sequence[Form | None]
) -> InfiniteTrain:
    schmidt = _unit_vectors(values)
    known = [form for form in forms if form is not None]
    if not schmidt or len(known) != len(cores):
        raise ValueError(
            "it is infinite, and its singular values do not lead to the right-canonical form "
            f"as they do from A, B, C, G and Th; {_MEND}"
        )
    result = []
    for site, (core, (left, right)) in enumerate(zip(cores, known, strict=True)):
        after = (site + 1) % len(cores)
        if left != 0.0:
            core = np.tensordot(_power(schmidt[site], -left, site), core, axes=(1, 0))
        if right != 1.0:
            core = np.tensordot(core, _power(schmidt[after], 1.0 - right, after), axes=(2, 0))
        result.append(core)
    defect = _defect(result, schmidt)
    if not defect < _INFINITE_ATOL:
        raise ValueError(f"it is infinite and {defect:.1e} off its canonical form; {_MEND}")
    return InfiniteTrain(cores=tuple(result), schmidt_values=tuple(schmidt))


def _unit_vectors(values: Sequence[Array | None]) -> list[FloatArray]:
    """Singular values of norm 1 on all bonds, or nothing if some are missing or matrices."""
    vectors = [v for v in values if v is not None and v.ndim == 1 and np.any(v)]
    # Divided by no norm that is one but for rounding, they keep their last bits.
    norms = [np.linalg.norm(v) for v in vectors]
    unit = [
        v if abs(norm - 1.0) < _ROUNDING else v / norm
        for v, norm in zip(vectors, norms, strict=True)
    ]
    return unit if len(vectors) == len(values) else []


def _defect(cores: Sequence[Array], schmidt: Sequence[FloatArray]) -> float:
    """Largest violation of the two conditions that make cores and Schmidt values canonical."""
    if [len(values) for values in schmidt] != [core.shape[0] for core in cores]:
        return math.inf
    violations = []
    for site, core in enumerate(cores):
        after = schmidt[(site + 1) % len(cores)]
        if len(after) != core.shape[2]:
            return math.inf
        right = np.tensordot(core, core.conj(), axes=([1, 2], [1, 2])) - np.eye(core.shape[0])
        centre = core * schmidt[site][:, None, None]
        left = np.tensordot(centre.conj(), centre, axes=([0, 1], [0, 1])) - np.diag(after**2)
        violations += [np.abs(right).max(), np.abs(left).max()]
    return float(np.max(violations))


def _basis(site: h5py.Group, dim: int) -> tuple[IntArray, float | None]:
    """Indices of the stored local basis in phasenet's order, and the spin."""
    spin = (dim - 1) / 2
    for weights in (_label_weights(site, dim), _operator_weights(site)):
        if weights is not None:
            order = np.argsort(-weights, kind="stable").astype(np.int64)
            if np.array_equal(weights[order], spin - np.arange(dim)):
                return order, spin
    unsorted = np.arange(dim)
    stored = layout.numbers(layout.child(site, "perm")) if "perm" in site else unsorted
    order = np.argsort(stored, kind="stable").astype(np.int64)
    return (order if np.array_equal(np.sort(stored), unsorted) else unsorted), None


def _label_weights(site: h5py.Group, dim: int) -> FloatArray | None:
    """Sz of each local state as its labels say, or None if they do not."""
    if "state_labels" not in site:
        return None
    weights = np.full(dim, np.nan)
    for label, index in layout.entries(layout.child(site, "state_labels")):
        try:
            weight = float({"up": "0.5", "down": "-0.5"}.get(label, label) if dim == 2 else label)
        except ValueError:
            continue
        state = int(layout.numbers(index))
        if np.isfinite(weights[state]) and weights[state] != weight:
            return None
        weights[state] = weight
    return weights if np.all(np.isfinite(weights)) else None


def _operator_weights(site: h5py.Group) -> FloatArray | None:
    """Sz of each local state as the stored operator says, or None if it does not."""
    if "Sz" not in site:
        return None
    operator = np.real(layout.dense(layout.child(site, "Sz")))
    diagonal = np.diag(operator)
    return diagonal if np.array_equal(operator, np.diag(diagonal)) else None
