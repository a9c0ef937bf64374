"""Any function as a tensor train: samples in, ``*.train.h5`` out."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.networks.readings import without_lost_sites
from phasenet.pipeline.construction import Construction, TrainFile, curves
from phasenet.pipeline.function_source import Form, FunctionSource
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter
from phasenet.records import TensorizedBlackBox
from phasenet.seeds import stream
from phasenet.settings import FunctionSettings, TensorizeOptions
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.trains import read_black_box, write_black_box
from phasenet.trains.inner import log_norm
from phasenet.trains.train import Array, IntArray, TensorTrain

_FILE = TrainFile(
    write=write_black_box,
    read=read_black_box,
    outcome=lambda found: found.outcome,
    error=lambda found: found.data_error,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Configurations from the distribution on which a train has to be right.

    Parameters
    ----------
    states
        Local states, int64 of shape (shots, sites).
    site_dim
        Number of local states.
    guessed
        Whether ``site_dim`` is only what the samples show.
    parents
        The file they are from, if it is one of phasenet.
    origin
        Name and digest of any other file.
    """

    states: IntArray
    site_dim: int
    guessed: bool
    parents: tuple[Parent, ...]
    origin: Mapping[str, str]


def read_samples(path: Path, site_dim: int | None) -> Samples:
    """Samples from a ``*.snapshots.h5``, or from a ``.npy`` of integers (shots, sites).

    Parameters
    ----------
    path
        The file. Of snapshots, controls are left out, and so are shots with lost sites unless a
        site has a state more for them.
    site_dim
        Number of local states; None takes that of the snapshots, or the largest state plus one.

    Raises
    ------
    MissingInputError, FileKindError, SettingsError
    """
    if path.suffix == ".npy":
        states, stored = _integers(path), None
        parents: tuple[Parent, ...] = ()
        origin = {
            "samples": path.name,
            "samples_digest": hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        }
    elif path.suffix != ".h5":
        raise FileKindError(f"samples are {path}; wanted a *.snapshots.h5 or a .npy of integers")
    else:
        states, stored = _snapshots(path, site_dim)
        parents, origin = parents_of([path]), {}
    largest = int(states.max())
    chosen = site_dim or stored or largest + 1
    if states.min() < 0:
        raise SettingsError(f"{path} holds the state {states.min()}; local states count from 0")
    if largest >= chosen:
        raise SettingsError(
            f"{path} holds the state {largest}; a site dimension of {chosen} allows 0 to "
            f"{chosen - 1}"
        )
    return Samples(
        states=states,
        site_dim=chosen,
        guessed=site_dim is None and stored is None,
        parents=parents,
        origin=origin,
    )


def black_box_product(
    source: FunctionSource, samples: Samples, out: Path, options: TensorizeOptions
) -> Product:
    """File of the train that a function and samples lead to."""
    settings = _settings(options)
    header = Header(
        kind=Kind.TRAIN,
        settings={
            "function": source.name,
            "function_digest": source.digest(),
            "site_dim": samples.site_dim,
            "tensorize": settings.model_dump(mode="json", exclude={"seed"}),
            **samples.origin,
        },
        seed=settings.seed,
        parents=(*source.parents, *samples.parents),
        study=None,
    )
    return Product(path=out, header=header)


def tensorize_black_box(
    source: FunctionSource,
    samples: Samples,
    product: Product,
    options: TensorizeOptions,
    *,
    reporter: Reporter,
) -> TensorizedBlackBox:
    """Turn any function into a train and write it; an interruption keeps the best so far.

    Parameters
    ----------
    source
        Where the function is.
    samples
        From :func:`read_samples`; the tensorizer holds some of them out.
    product
        From :func:`black_box_product`.
    options
        What the user asked for.
    reporter
        Hears of each half sweep.
    """
    settings = _settings(options)
    construction = Construction(
        title=source.name,
        tol=settings.tol,
        max_rank=settings.max_rank,
        max_evaluations=settings.max_evaluations,
        method=settings.method,
        seed=settings.seed,
    )

    def compute() -> TensorizedBlackBox:
        function = source.load(options.device)
        found = construction.run(function, samples.states, samples.site_dim, reporter)
        where = (f"evaluated on {options.device}",) if options.device else ()
        weight = (_weight(found.train),) if source.form is Form.WAVEFUNCTION else ()
        return TensorizedBlackBox(
            name=source.name,
            train=found.train,
            data_error=found.data_error,
            uniform_error=found.uniform_error,
            tol=found.tol,
            evaluations=found.evaluations,
            outcome=found.outcome.value,
            steps=(*found.steps, *weight, *where),
            history=curves(found.history),
        )

    return _FILE.make(product, compute, reporter)


def _weight(train: TensorTrain) -> str:
    """How much of a normalised wavefunction a train holds.

    The errors on samples weigh configurations by their probability once more, and so hardly see
    what many rare ones lack together.
    """
    return f"squared norm {math.exp(2 * log_norm(train)):.6f} where the network has 1"


def _settings(options: TensorizeOptions) -> FunctionSettings:
    seed = {} if options.seed is None else {"seed": options.seed}
    return FunctionSettings.checked({**options.changes(), **seed})


def _snapshots(path: Path, site_dim: int | None) -> tuple[IntArray, int]:
    """Local states of measured shots in random order, and their number."""
    _, snapshots = read_snapshots(path)
    head = snapshots.head
    measured = np.asarray([not point.control for point in head.points])
    chosen = np.flatnonzero(measured[snapshots.shots.point_index])
    if (site_dim or head.site_dim) <= head.site_dim:
        chosen = without_lost_sites(snapshots, chosen)
    if len(chosen) == 0:
        raise SettingsError(
            f"no snapshot in {path} was read on all sites; give a lost site a state of its own "
            f"with a site dimension of {head.site_dim + 1}"
        )
    # Snapshots are ordered by point, but pivots are chosen from the first samples.
    mixed = stream(0, "tensorize", "shots").permutation(snapshots.configurations(chosen))
    return mixed.astype(np.int64), head.site_dim


def _integers(path: Path) -> Array:
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        detail = " ".join(str(error).split())
        raise FileKindError(
            f"{path} is no .npy file of integers ({detail}); write it with numpy.save"
        ) from error
    if array.ndim != 2 or array.dtype.kind not in "iub" or array.size == 0:
        raise FileKindError(
            f"{path} holds {array.dtype} of shape {array.shape}; wanted integers (shots, sites)"
        )
    return np.asarray(array.astype(np.int64))
