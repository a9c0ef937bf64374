"""Operators on one site: by the names of the field, or as matrices."""

from collections.abc import Iterable, Sequence
from typing import Any

Operator = str | tuple[tuple[complex, ...], ...]
"""Name or matrix of an operator on one site.

``1`` is nothing; ``Sx``, ``Sy``, ``Sz`` are spin matrices, ``Sp`` and ``Sm`` ladder operators,
``Rx``, ``Ry``, ``Rz`` rotations by pi about an axis, exp(i pi S^a), for any spin; ``X``, ``Y``,
``Z`` are Pauli matrices, for two local states. A matrix has rows of numbers, in the basis of the
highest weight first.
"""

UNITARIES = ("1", "Rx", "Ry", "Rz", "X", "Y", "Z")
NAMES = (*UNITARIES, "Sx", "Sy", "Sz", "Sp", "Sm")
_UNITARY_ATOL = 1e-9


def frozen(operators: Iterable[Any]) -> tuple[Operator, ...]:
    """Operators as values that can be compared: names as they are, arrays as tuples.

    >>> frozen(["Sz", [[0, 1], [1, 0]]])
    ('Sz', ((0j, (1+0j)), ((1+0j), 0j)))
    """
    return tuple(
        operator
        if isinstance(operator, str)
        else tuple(tuple(complex(value) for value in row) for row in operator)
        for operator in operators
    )


def is_unitary(operator: Operator) -> bool:
    """Whether an operator is the name of a unitary, or a unitary matrix.

    >>> is_unitary("Rz"), is_unitary("Sz"), is_unitary(((0, 1), (1, 0)))
    (True, False, True)
    """
    if isinstance(operator, str):
        return operator in UNITARIES
    if any(len(row) != len(operator) for row in operator):
        return False
    rows = [[complex(value) for value in row] for row in operator]
    return all(
        abs(sum(a * b.conjugate() for a, b in zip(row, other, strict=True)) - (row is other))
        < _UNITARY_ATOL
        for row in rows
        for other in rows
    )


def plain(operators: Sequence[Operator]) -> list[Any]:
    """Operators as JSON values: a number of a matrix as its real and imaginary part.

    >>> plain(["Sz", ((1,),)])
    ['Sz', [[[1.0, 0.0]]]]
    """
    return [
        operator
        if isinstance(operator, str)
        else [[[complex(v).real, complex(v).imag] for v in row] for row in operator]
        for operator in operators
    ]


def restored(operators: Sequence[Any]) -> tuple[Operator, ...]:
    """Operators from the JSON values of :func:`plain`.

    >>> restored(plain(["Sz", ((1,),)]))
    ('Sz', (((1+0j),),))
    """
    return frozen(
        operator
        if isinstance(operator, str)
        else [[complex(real, imaginary) for real, imaginary in row] for row in operator]
        for operator in operators
    )
