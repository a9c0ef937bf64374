"""Points of parameter space and grids of them."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

from phasenet.errors import SettingsError
from phasenet.identity import canonical_number, digest


@dataclass(frozen=True)
class ParameterPoint:
    """One set of couplings; its identity does not depend on their order or on rounding noise.

    Parameters
    ----------
    couplings
        Pairs (name, value), sorted by name; build with :meth:`of`.

    >>> point = ParameterPoint.of(Delta=1, D=0.1 + 0.2)
    >>> print(point, point["D"])
    D=0.3,Delta=1 0.3
    >>> point == ParameterPoint.of({"D": 0.3, "Delta": 1.0})
    True
    """

    couplings: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, mapping: Mapping[str, float] | None = None, **couplings: float) -> "ParameterPoint":
        """Point from a mapping or from keywords; every value must be a finite real number."""
        given = {**(mapping or {}), **couplings}
        for name, value in given.items():
            _check_number(name, value)
        return cls(tuple(sorted((name, canonical_number(v)) for name, v in given.items())))

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name the point in files."""
        return digest(self.as_dict())

    def as_dict(self) -> dict[str, float]:
        """Return the couplings by name."""
        return dict(self.couplings)

    def __getitem__(self, name: str) -> float:
        try:
            return self.as_dict()[name]
        except KeyError:
            known = ", ".join(name for name, _ in self.couplings)
            raise SettingsError(f"point has no coupling {name!r}; it has {known}") from None

    def __str__(self) -> str:
        return ",".join(f"{name}={value:.12g}" for name, value in self.couplings)


@dataclass(frozen=True)
class Grid:
    """Product of values along each coupling, in the order given.

    Parameters
    ----------
    axes
        Pairs (name, values); build with :meth:`product`.

    >>> grid = Grid.product(Delta=[1.0], D=[0.0, 0.5, 1.0])
    >>> [str(point) for point in grid], grid.varied
    (['D=0,Delta=1', 'D=0.5,Delta=1', 'D=1,Delta=1'], ('D',))
    """

    axes: tuple[tuple[str, tuple[float, ...]], ...]

    @classmethod
    def product(cls, **axes: Sequence[float]) -> "Grid":
        """Grid of all combinations; the last axis runs fastest."""
        for name, values in axes.items():
            if len(values) == 0:
                raise SettingsError(f"grid axis {name} is empty; give at least one value")
            for value in values:
                _check_number(name, value)
            if len({canonical_number(v) for v in values}) != len(values):
                raise SettingsError(f"grid axis {name} names a value twice: {list(values)}")
        return cls(
            tuple((n, tuple(canonical_number(v) for v in values)) for n, values in axes.items())
        )

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of the couplings that take more than one value."""
        return tuple(name for name, values in self.axes if len(values) > 1)

    def __iter__(self) -> Iterator[ParameterPoint]:
        names = [name for name, _ in self.axes]
        for values in itertools.product(*(values for _, values in self.axes)):
            yield ParameterPoint.of(dict(zip(names, values, strict=True)))

    def __len__(self) -> int:
        return math.prod(len(values) for _, values in self.axes)


def _check_number(name: str, value: float) -> None:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise SettingsError(f"coupling {name} is {value!r}; it must be a finite real number")
