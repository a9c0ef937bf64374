"""What phases are recognised by: symmetries, local orders and string orders, as plain values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from phasenet.errors import StudyError
from phasenet.operators import UNITARIES, Operator, frozen, is_unitary, plain, restored

SymmetryKind = Literal["commutation", "time reversal", "inversion"]
_PATTERNS = {"commutation": (2,), "time reversal": (1,), "inversion": (0, 1)}
_STRING = re.compile(r"^([^\[\]]+)\[([^\[\]]+)\]([^\[\]]+)$")


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """A symmetry that may protect a phase: its action on each site, and the cut of its invariant.

    Parameters
    ----------
    name
        Name of its invariant, such as ``Z2xZ2``.
    kind
        ``commutation``: whether two on-site symmetries still commute on the bond; ``time reversal``
        and ``inversion``: the sign of the square on the bond.
    operators
        On-site unitaries along the cell, repeated to its end: two patterns for a commutation, one
        for time reversal (the unitary before complex conjugation), one or none for inversion.
        See :data:`phasenet.operators.Operator`; matrices must be unitary.
    cut
        The invariant is quoted at the bond left of this site of the cell.
    """

    name: str
    kind: SymmetryKind
    operators: tuple[tuple[Operator, ...], ...] = ()
    cut: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _PATTERNS or len(self.operators) not in _PATTERNS[self.kind]:
            raise StudyError(
                f"symmetry {self.name!r} of kind {self.kind!r} has {len(self.operators)} patterns; "
                "wanted two for a commutation, one for time reversal, at most one for inversion"
            )
        operators = tuple(frozen(pattern) for pattern in self.operators)
        object.__setattr__(self, "operators", operators)
        for operator in (operator for pattern in operators for operator in pattern):
            if not is_unitary(operator):
                raise StudyError(
                    f"symmetry {self.name!r} acts with {operator!r}; wanted {', '.join(UNITARIES)} "
                    "or a unitary matrix"
                )
        if self.cut < 0 or not all(self.operators):
            raise StudyError(f"symmetry {self.name!r} has a negative cut or an empty pattern")


SPIN_SYMMETRIES = (
    Symmetry(name="Z2xZ2", kind="commutation", operators=(("Rx",), ("Rz",))),
    Symmetry(name="time reversal", kind="time reversal", operators=(("Ry",),)),
    Symmetry(name="bond inversion", kind="inversion"),
)
"""Of a chain of spins: pi rotations about x and z, time reversal, inversion about a bond."""


@dataclass(frozen=True, kw_only=True)
class Order:
    r"""A local order parameter, read off correlations at a long distance.

    .. math:: m^2 = \lim_{r \to \infty} \frac{1}{n^2} \left| \sum_{i j}
              e^{2 \pi i q (i - j)} \langle A_i A_{j + r} \rangle \right|

    over the n sites i and j of a cell, r a multiple of both the cell and the period 1/q; so that a
    symmetric superposition of broken states counts as broken. A is a product of operators on
    neighbouring sites.

    Parameters
    ----------
    name
        Such as ``staggered magnetisation``.
    operators
        Of neighbouring sites, such as ``("Sz",)`` or, for dimers, ``("Sz", "Sz")``; see
        :data:`phasenet.operators.Operator`.
    wavenumber
        q in turns per site: 0 uniform, 1/2 staggered, 1/4 for a period of four.
    threshold
        Above it the symmetry counts as broken.
    """

    name: str
    operators: tuple[Operator, ...]
    wavenumber: float = 0.0
    threshold: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", frozen(self.operators))


@dataclass(frozen=True, kw_only=True)
class StringOrder:
    r"""A string order parameter: products of operators at two ends, unitaries in between.

    .. math:: f\, \Big\langle L_1 \dots L_p \, (U_1 \dots U_q)^n \, R_1 \dots R_r \Big\rangle

    on consecutive sites, for n = 0, 1, 2, ...; the two ends begin p + n q sites apart.

    Parameters
    ----------
    name
        Such as ``x``, or ``stabiliser``.
    left, inside, right
        The operators L, U and R, see :data:`phasenet.operators.Operator`; U must be unitary.
    factor
        The factor f: string orders of spins are quoted with the sign that makes them positive.
    start, period
        Where a string may start: sites that are ``start`` modulo ``period``.

    >>> print(StringOrder.parse("Sz [Rz] Sz", factor=-1.0))
    -<Sz [Rz] Sz>
    """

    name: str
    left: tuple[Operator, ...]
    inside: tuple[Operator, ...]
    right: tuple[Operator, ...]
    factor: float = 1.0
    start: int = 0
    period: int = 1

    def __post_init__(self) -> None:
        for part in ("left", "inside", "right"):
            operators = frozen(getattr(self, part))
            object.__setattr__(self, part, operators)
            if not operators:
                raise StudyError(f"string {self.name!r} has nothing {part}; wanted an operator")
        for operator in self.inside:
            if not is_unitary(operator):
                raise StudyError(
                    f"string {self.name!r} has {operator!r} inside; wanted {', '.join(UNITARIES)} "
                    "or a unitary matrix"
                )
        if not 0 <= self.start < self.period:
            raise StudyError(
                f"string {self.name!r} starts at sites {self.start} modulo {self.period}; wanted "
                "0 <= start < period"
            )

    @classmethod
    def parse(cls, text: str, *, name: str = "", factor: float = 1.0) -> Self:
        """String order from a text such as ``Sz [Rz] Sz`` or ``Z [X 1] X Z``.

        Parameters
        ----------
        text
            Names of the left end, in brackets what repeats, names of the right end.
        name
            By default the text itself.
        factor
            As of the class.
        """
        match = _STRING.match(text.strip())
        if match is None:
            raise StudyError(
                f"string order {text!r} is not understood; write it as 'Sz [Rz] Sz': left end, "
                "what repeats in brackets, right end"
            )
        left, inside, right = (tuple(part.split()) for part in match.groups())
        return cls(name=name or text.strip(), left=left, inside=inside, right=right, factor=factor)

    @property
    def trivial(self) -> Self:
        """The string with identities at its ends, of the same unitaries."""
        return type(self)(
            name=f"{self.name}, ends 1",
            left=("1",) * len(self.left),
            inside=self.inside,
            right=("1",) * len(self.right),
            start=self.start,
            period=self.period,
        )

    def __str__(self) -> str:
        parts = [
            " ".join(o if isinstance(o, str) else "matrix" for o in part)
            for part in (self.left, self.inside, self.right)
        ]
        factor = {1.0: "", -1.0: "-"}.get(self.factor, f"{self.factor:g} ")
        return f"{factor}<{parts[0]} [{parts[1]}] {parts[2]}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        parts = {part: plain(getattr(self, part)) for part in ("left", "inside", "right")}
        return {**vars(self), **parts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """String order from plain values, as a file holds them."""
        parts = {part: restored(values[part]) for part in ("left", "inside", "right")}
        return cls(**{**values, **parts})


def spin_string(
    axis: Literal["x", "y", "z"], site_dim: int, *, start: int = 0, period: int = 1
) -> StringOrder:
    r"""String order of spins along one axis, as it is quoted.

    Integer spins: :math:`-\langle S^a_i \prod R^a_k S^a_j\rangle` (den Nijs, Rommelse, PRB 40, 4709
    (1989)), 4/9 for AKLT. Half-integer spins: with an even number of sites inside, and for spin 1/2
    times 4, so that it is 1 for dimers across both ends (Hida, PRB 45, 2207 (1992)).

    Parameters
    ----------
    axis
        Component a; also the name, unless the string starts at another site than the first.
    site_dim
        Number of local states, 2S + 1.
    start, period
        As of :class:`StringOrder`; in a chain of dimers it matters which bond the string cuts.

    >>> print(spin_string("z", 3), spin_string("z", 2))
    -<Sz [Rz] Sz> -4 <Sz [Rz Rz] Sz>
    """
    return StringOrder(
        name=f"{axis} from site {start}" if start else axis,
        left=(f"S{axis}",),
        inside=(f"R{axis}",) * (1 if site_dim % 2 else 2),
        right=(f"S{axis}",),
        factor=-4.0 if site_dim == 2 else -1.0,
        start=start,
        period=period,
    )
