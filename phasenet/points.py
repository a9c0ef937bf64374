"""Points of parameter space and grids of them."""

import difflib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property
from numbers import Real
from pathlib import Path

from phasenet.errors import MissingInputError, SettingsError
from phasenet.identity import canonical_number, digest

_MOST_VALUES = 1_000_000


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
        return cls(tuple(sorted((name, _number(name, v)) for name, v in given.items())))

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
class Block:
    """Couplings that run together: one row of values for each step.

    Parameters
    ----------
    names
        Couplings.
    rows
        Values of all of them, in the order of the names.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Grid:
    """Product of blocks of couplings, in the order given; the last block runs fastest.

    Parameters
    ----------
    blocks
        Build with :meth:`product`, :meth:`zipped`, :meth:`of_points`, :meth:`from_csv`, and join
        two grids of different couplings with ``*``.

    >>> grid = Grid.product(Delta=[1.0], D=[0.0, 0.5, 1.0])
    >>> [str(point) for point in grid], grid.varied
    (['D=0,Delta=1', 'D=0.5,Delta=1', 'D=1,Delta=1'], ('D',))
    >>> [str(point) for point in Grid.product(h=[2]) * Grid.zipped(J=[0, 1], K=[1, 0])]
    ['J=0,K=1,h=2', 'J=1,K=0,h=2']
    """

    blocks: tuple[Block, ...]

    @classmethod
    def product(cls, **axes: Sequence[float]) -> "Grid":
        """Grid of all combinations; the last axis runs fastest."""
        columns = _columns(axes)
        for name, values in columns.items():
            if len(set(values)) != len(values):
                raise SettingsError(f"grid axis {name} names a value twice: {list(axes[name])}")
        return cls(
            tuple(Block((name,), tuple((v,) for v in values)) for name, values in columns.items())
        )

    @classmethod
    def zipped(cls, **axes: Sequence[float]) -> "Grid":
        """Grid of couplings that run together: the first values make the first point, and so on.

        >>> [str(point) for point in Grid.zipped(D=[0, 1], Delta=[1, 0.5])]
        ['D=0,Delta=1', 'D=1,Delta=0.5']
        """
        columns = _columns(axes)
        if len({len(values) for values in columns.values()}) > 1:
            found = ", ".join(f"{name} has {len(values)}" for name, values in columns.items())
            raise SettingsError(f"couplings that run together need equally many values; {found}")
        return cls((_block(tuple(columns), list(zip(*columns.values(), strict=True))),))

    @classmethod
    def of_points(cls, points: Iterable[ParameterPoint]) -> "Grid":
        """Grid of the points themselves, in their order.

        >>> len(Grid.of_points([ParameterPoint.of(D=0), ParameterPoint.of(D=1)]))
        2
        """
        points = tuple(points)
        names = tuple(name for name, _ in points[0].couplings) if points else ()
        rows = []
        for point in points:
            if tuple(name for name, _ in point.couplings) != names:
                raise SettingsError(
                    f"points {points[0]} and {point} of one grid differ in their couplings; name "
                    "the same ones in each"
                )
            rows.append(tuple(value for _, value in point.couplings))
        return cls((_block(names, rows),))

    @classmethod
    def from_csv(cls, path: Path | str, known: Sequence[str] | None = None) -> "Grid":
        """Grid of the points of a CSV file.

        Parameters
        ----------
        path
            First line: names of couplings; each other line: one point. Empty lines and lines that
            begin with ``#`` are left out.
        known
            Couplings that there are; None allows any.

        Raises
        ------
        MissingInputError, SettingsError
            With the number of the line.
        """
        path = Path(path)
        lines = _csv_lines(path)
        if len(lines) < 2:
            raise SettingsError(f"{path} names no points; wanted a line of names, then numbers")
        (_, names), *rest = lines
        _check_header(path, lines[0], known)
        seen: dict[tuple[float, ...], int] = {}
        for number, cells in rest:
            where = f"{path}, line {number}"
            if len(cells) != len(names):
                raise SettingsError(f"{where} has {len(cells)} columns; its head has {len(names)}")
            row = tuple(_cell(where, n, c) for n, c in zip(names, cells, strict=True))
            if row in seen:
                raise SettingsError(f"{where} repeats the point of line {seen[row]}; name it once")
            seen[row] = number
        return cls((Block(tuple(names), tuple(seen)),))

    @cached_property
    def axes(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        """Pairs of each coupling and its different values, in the order of their first use."""
        return tuple(
            (name, tuple(dict.fromkeys(row[k] for row in block.rows)))
            for block in self.blocks
            for k, name in enumerate(block.names)
        )

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Names of the couplings that take more than one value."""
        return tuple(name for name, values in self.axes if len(values) > 1)

    def __mul__(self, other: "Grid") -> "Grid":
        blocks = (*self.blocks, *other.blocks)
        names = [name for block in blocks for name in block.names]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(f"both factors of a grid name the coupling {name}")
        return Grid(blocks)

    def __iter__(self) -> Iterator[ParameterPoint]:
        pairs = (
            [tuple(zip(block.names, row, strict=True)) for row in block.rows]
            for block in self.blocks
        )
        for parts in itertools.product(*pairs):
            # The values are checked and canonical already: a grid may have 100 000 points.
            yield ParameterPoint(tuple(sorted(itertools.chain.from_iterable(parts))))

    def __len__(self) -> int:
        return math.prod(len(block.rows) for block in self.blocks)


def parse_values(name: str, text: str) -> tuple[float, ...]:
    """Values of a coupling as one types them: numbers and ranges, separated by commas.

    Parameters
    ----------
    name
        Coupling, for the error.
    text
        ``start:stop:step`` is a range that contains its stop, in exact decimal steps.

    >>> parse_values("D", "0:0.3:0.1,2")
    (0.0, 0.1, 0.2, 0.3, 2.0)
    """
    values: list[float] = []
    for part in text.split(","):
        numbers = [_decimal(name, piece) for piece in part.split(":")]
        if len(numbers) == 1:
            values.append(float(numbers[0]))
        elif len(numbers) == 3:
            values += _range(f"coupling {name}: range {part.strip()}", *map(Fraction, numbers))
        else:
            raise SettingsError(
                f"coupling {name}: {part.strip()!r} is no range; write start:stop:step, such as "
                "0:2:0.1"
            )
    return tuple(values)


def nearest(name: str, known: Iterable[str]) -> str:
    """Name that was probably meant, or nothing.

    >>> nearest("d", ["Delta", "D"]), nearest("max_bnd", ["max_bond", "D"]), nearest("J", ["D"])
    ('D', 'max_bond', '')
    """
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return lower[near[0]] if near else ""


def _range(what: str, start: Fraction, stop: Fraction, step: Fraction) -> list[float]:
    if step == 0 or (stop - start) / step < 0:
        raise SettingsError(f"{what} never ends; its step must lead from start to stop")
    steps = (stop - start) / step
    if steps >= _MOST_VALUES:
        raise SettingsError(f"{what} has more than {_MOST_VALUES} values; take larger steps")
    if steps.denominator != 1:
        last = float(start + math.floor(steps) * step)
        raise SettingsError(
            f"{what} misses its stop; end it at {last:.12g}, or take a step that divides it"
        )
    return [float(start + k * step) for k in range(int(steps) + 1)]


def _decimal(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("nan")
    # Exponents beyond those of a float would make integers of many megabytes.
    if not value.is_finite() or (value and abs(value.adjusted()) > 300):
        raise SettingsError(f"coupling {name} is {text!r}; it must be a finite real number")
    return value


def _columns(axes: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
    for name, values in axes.items():
        if len(values) == 0:
            raise SettingsError(f"grid axis {name} is empty; give at least one value")
    return {name: tuple(_number(name, v) for v in values) for name, values in axes.items()}


def _block(names: tuple[str, ...], rows: list[tuple[float, ...]]) -> Block:
    if not rows:
        raise SettingsError("a grid of no points; give at least one")
    seen = set()
    for row in rows:
        if row in seen:
            shown = ",".join(f"{n}={v:.12g}" for n, v in zip(names, row, strict=True))
            raise SettingsError(f"grid names the point {shown} twice")
        seen.add(row)
    return Block(names, tuple(rows))


def _csv_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Numbers and cells of the lines that say something."""
    if not path.is_file():
        raise MissingInputError(f"no points at {path}; give a CSV file with one point a line")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is no text in UTF-8; wanted a CSV file of points") from None
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if any(cells) and not line.lstrip().startswith("#"):
            lines.append((number, cells))
    return lines


def _check_header(path: Path, header: tuple[int, list[str]], known: Sequence[str] | None) -> None:
    number, names = header
    where = f"{path}, line {number}"
    for name in names:
        if not name:
            raise SettingsError(f"{where} has a column without a name; wanted names of couplings")
        if names.count(name) > 1:
            raise SettingsError(f"{where} names the coupling {name} twice")
        if known is not None and name not in known:
            near = nearest(name, known)
            way_out = f"did you mean {near!r}?" if near else f"there are {', '.join(known)}"
            raise SettingsError(f"{where} names the unknown coupling {name!r}; {way_out}")


def _cell(where: str, name: str, text: str) -> float:
    try:
        return _number(name, float(text))
    except ValueError:
        raise SettingsError(
            f"{where}: coupling {name} is {text!r}; it must be a finite real number"
        ) from None


def _number(name: str, value: float) -> float:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise SettingsError(f"coupling {name} is {value!r}; it must be a finite real number")
    return canonical_number(value)
