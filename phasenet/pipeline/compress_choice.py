"""The compressed network of choice, as a file, and the figure and table beside it."""

from dataclasses import dataclass
from pathlib import Path

from phasenet.compression import Compressed, CompressionCurve, choose
from phasenet.pipeline.compress_lines import write_csv
from phasenet.pipeline.product import Product, parents_of
from phasenet.statistics import binomial_error
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import write_network
from phasenet.trained import Score, TrainedNetwork

_FIGURES = (".png", ".pdf")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which candidate is taken.

    Parameters
    ----------
    within
        The smallest network that loses at most so many points of accuracy on validation shots.
    ratio
        The most accurate network that is at least so many times smaller.

    >>> print(Rule(within=0.5), "|", Rule(ratio=20.0))
    smallest within 0.5 points | best at 20x
    """

    within: float | None = None
    ratio: float | None = None

    def __str__(self) -> str:
        if self.ratio is not None:
            return f"best at {self.ratio:g}x"
        return f"smallest within {self.within:g} points"

    def of(self, curve: CompressionCurve) -> Compressed:
        """Candidate that the rule takes; raises SettingsError if there is none."""
        return choose(curve, within=self.within, ratio=self.ratio)


def chosen_path(compression: Path) -> Path:
    """Where the chosen network goes.

    >>> chosen_path(Path("runs/haldane.compression.h5")).as_posix()
    'runs/haldane.compressed.network.h5'
    """
    return compression.with_name(f"{_stem(compression)}.compressed.{Kind.NETWORK}.h5")


def drawings(compression: Path) -> tuple[Path, ...]:
    """Figures and table beside a compression.

    >>> [path.name for path in drawings(Path("haldane.compression.h5"))]
    ['haldane.compression.csv', 'haldane.compression.png', 'haldane.compression.pdf']
    """
    stem = f"{_stem(compression)}.{Kind.COMPRESSION}"
    return tuple(compression.with_name(f"{stem}{suffix}") for suffix in (".csv", *_FIGURES))


def choice_product(compression: Path, rule: Rule) -> Product:
    """File of the network that a rule takes from a finished compression."""
    above = read_header(compression)
    header = Header(
        kind=Kind.NETWORK,
        settings={"compressed": {"rule": str(rule)}},
        seed=above.seed,
        parents=parents_of([compression]),
        study=above.study,
    )
    return Product(path=chosen_path(compression), header=header, extras=drawings(compression))


def write_choice(curve: CompressionCurve, row: Compressed, product: Product) -> None:
    """Write the chosen network, a file like any other classifier's."""
    product.make(lambda: _record(curve, row), write_network)


def draw(curve: CompressionCurve, row: Compressed | None, compression: Path) -> None:
    """Write the table and the figures."""
    from phasenet.plots.compression import compression_figure  # loads matplotlib
    from phasenet.plots.style import save_figure

    table, *figures = drawings(compression)
    write_csv(curve, row, table)
    figure = compression_figure(curve, row)
    for path in figures:
        save_figure(figure, path)


def _record(curve: CompressionCurve, row: Compressed) -> TrainedNetwork:
    shots = curve.shots[2]
    kept, before = float(row.test[row.best]), float(curve.original.test.mean())
    return TrainedNetwork(
        architecture=row.architecture,
        weights=row.weights,
        classes=curve.classes,
        history={},
        scores=(
            _score("network", kept, shots),
            _score(f"before compression ({curve.original.parameters} parameters)", before, shots),
            *curve.nulls,
        ),
        outcome=f"{row.candidate} of {curve.name}: {curve.ratio(row):.3g} times fewer parameters, "
        f"the best of {len(row.validation)} seeds on the validation shots",
        flops=row.flops,
    )


def _score(name: str, accuracy: float, shots: int) -> Score:
    error = binomial_error(accuracy, shots)
    return Score(classifier=name, split="test", accuracy=accuracy, error=error, shots=shots)


def _stem(compression: Path) -> str:
    return compression.name.removesuffix(f".{Kind.COMPRESSION}.h5")
