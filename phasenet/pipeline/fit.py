"""A neural wavefunction of a ground state: ``*.wavefunction.h5``, and shots of it for its train."""

from dataclasses import replace
from pathlib import Path

from phasenet.errors import SettingsError
from phasenet.pipeline.black_box import Samples
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.records import GroundState
from phasenet.settings import FitSettings
from phasenet.storage.container import current_header, read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import read_state
from phasenet.storage.wavefunctions import read_wavefunction, write_wavefunction
from phasenet.study import Boundary
from phasenet.trains.canonical import round_train
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from phasenet.wavefunctions import FittedWavefunction, Overlap

_MARK = "interrupted"
_SAMPLES = 8000
# Of the distance between a network and its state: a finer train has nothing more to say of it.
_SHARE = 0.1
_FINEST, _COARSEST = 1e-6, 1e-2


def wavefunction_product(state: Path, out: Path, settings: FitSettings) -> Product:
    """File of the wavefunction that a state and settings lead to.

    Raises
    ------
    SettingsError
        The state is infinite.
    """
    header = read_header(state)
    if header.settings.get("boundary") == Boundary.INFINITE:
        raise SettingsError(
            f"{state} holds an infinite state, which has no amplitudes; name the open chain, "
            f"*.{Boundary.FINITE}.state.h5"
        )
    return Product(
        path=out,
        header=Header(
            kind=Kind.WAVEFUNCTION,
            settings={"fit": settings.model_dump(mode="json", exclude={"seed"})},
            seed=settings.seed,
            parents=parents_of([state]),
            study=header.study,
        ),
    )


def fit(
    state: Path,
    product: Product,
    settings: FitSettings,
    *,
    reporter: Reporter,
    device: str = "cpu",
) -> FittedWavefunction:
    """Fit a network to the amplitudes of a ground state and write it.

    An interruption keeps the best so far in a file that never counts as done, and ends in
    KeyboardInterrupt all the same.

    Parameters
    ----------
    state
        File of a ground state of an open chain.
    product
        From :func:`wavefunction_product`.
    settings
        Network, optimiser and seed.
    reporter
        Hears of each epoch.
    device
        Where the network is fitted.
    """
    from phasenet.networks.wavefunctions.fitting import INTERRUPTED, fit_wavefunction  # torch

    def compute() -> FittedWavefunction:
        ground: GroundState = read_state(state)[1]
        epochs = settings.max_epochs + settings.refine_epochs
        with stage(reporter, f"fitting a wavefunction to {ground.point}", epochs):
            return fit_wavefunction(
                state_form(ground.train),
                settings,
                point=ground.point,
                state=state.name,
                progress=reporter.advance,
                device=device,
            )

    def keep(path: Path, header: Header, found: FittedWavefunction) -> Header:
        if found.outcome != INTERRUPTED:
            return write_wavefunction(path, header, found)
        marked = replace(header, settings={**header.settings, _MARK: True})
        before = current_header(path, marked.key)
        if before is not None and _fidelity(path) >= found.overlap.fidelity:
            return before
        return write_wavefunction(path, marked, found)

    found = product.make(compute, keep)
    if found.outcome == INTERRUPTED:
        reporter.say(
            f"interrupted: {product.path} holds the best so far (fidelity "
            f"{_fidelity(product.path):.6f}); the same command starts again and keeps the better "
            "one"
        )
        raise KeyboardInterrupt
    return found


def wavefunction_samples(path: Path, seed: int) -> Samples:
    """Shots that a stored wavefunction draws itself, for the tensorizer.

    Raises
    ------
    MissingInputError, FileKindError
    """
    from phasenet.networks.wavefunctions.functions import draw_of  # loads torch

    _, found = read_wavefunction(path)
    return Samples(
        states=draw_of(found, _SAMPLES, seed=seed),
        site_dim=found.site_dim,
        guessed=False,
        parents=(),
        origin={"samples": f"{_SAMPLES} shots drawn from {path.name}"},
    )


def train_tol(path: Path) -> float:
    """Relative error of a train that adds little to the distance of a wavefunction from its state.

    Raises
    ------
    MissingInputError, FileKindError
    """
    lack = max(0.0, 1.0 - _fidelity(path))
    return min(_COARSEST, max(_FINEST, float(f"{_SHARE * lack**0.5:.1e}")))


def state_of_network(train: TensorTrain, overlap: Overlap) -> TensorTrain:
    r"""State that a network has learnt: its train without what is finer than its own error.

    Many small Schmidt values of a tensorized network are what it gets wrong, and observables of the
    bonds, such as SPT invariants and correlation lengths, see the longest of them. The train is
    rounded by the distance of the network from its state, :math:`\sqrt{1-F}`.

    Parameters
    ----------
    train
        Of the amplitudes.
    overlap
        How close the network is to the state that it was fitted to.

    >>> from phasenet.phases.exact import aklt_chain
    >>> good = Overlap(fidelity=0.9999, error=1e-5, sign_agreement=1.0, shots=100)
    >>> state_of_network(aklt_chain(6), good).bond_dims
    (2, 2, 2, 2, 2)
    """
    lack = max(0.0, 1.0 - overlap.fidelity)
    return round_train(train, tol=lack**0.5, max_rank=max(train.bond_dims, default=1))[0]


def wavefunction_lines(found: FittedWavefunction) -> list[str]:
    """What a wavefunction is, and how close it is to its state."""
    facts = found.architecture
    weights = sum(array.size for array in found.weights.values())
    amplitudes = "complex amplitudes" if facts["is_complex"] else "real amplitudes"
    sector = {
        0: f"of total S^z {int(facts['total']) / 2:g}",
        4: f"of S^z parity {int(facts['total']) / 2:g}",
    }.get(int(facts["modulus"]), "of no conserved charge")
    return [
        f"{facts['kind']} wavefunction of {found.state}: {found.length} sites of "
        f"{found.site_dim} local states, {amplitudes} {sector}, {weights} weights",
        f"{found.overlap}: {found.outcome}",
    ]


def _fidelity(path: Path) -> float:
    return read_wavefunction(path)[1].overlap.fidelity
