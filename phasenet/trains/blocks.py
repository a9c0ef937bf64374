"""Cores and environments cut into the blocks that a conserved charge leaves, and their contraction.

A bond is a list of groups, one for each charge; a core keeps one matrix for each group on its left
and each local state, because the charge on its right follows from them. Nothing here needs to know
the charges themselves: a state without a charge has one group on each bond, and one code serves
both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasenet.errors import ShapeError
from phasenet.trains.train import Array, IntArray

Groups = tuple[IntArray, ...]
Key = tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockCore:
    """Core of a train by the groups of its bonds.

    Parameters
    ----------
    blocks
        For a group on the left and a local state, the group on the right and the matrix between
        them, of shape (left, right).
    left, right
        Indices of the dense core in each group.
    site_dim
        Number of local states.
    """

    blocks: Mapping[Key, tuple[int, Array]]
    left: Groups
    right: Groups
    site_dim: int

    @cached_property
    def conjugate(self) -> "BlockCore":
        """Complex conjugate; the core itself if it is real."""
        if not any(np.iscomplexobj(matrix) for _, matrix in self.blocks.values()):
            return self
        blocks = {key: (group, matrix.conj()) for key, (group, matrix) in self.blocks.items()}
        return BlockCore(blocks=blocks, left=self.left, right=self.right, site_dim=self.site_dim)

    @cached_property
    def mirrored(self) -> "BlockCore":
        """Core with its bonds exchanged."""
        blocks = {
            (group, state): (left, np.ascontiguousarray(matrix.T))
            for (left, state), (group, matrix) in self.blocks.items()
        }
        return BlockCore(blocks=blocks, left=self.right, right=self.left, site_dim=self.site_dim)

    @cached_property
    def dense(self) -> Array:
        """Array of shape (left, site, right)."""
        sizes = (sum(map(len, groups)) for groups in (self.left, self.right))
        left, right = sizes
        dtype = np.result_type(np.float64, *(matrix for _, matrix in self.blocks.values()))
        core = np.zeros((left, self.site_dim, right), dtype=dtype)
        for (group, state), (after, matrix) in self.blocks.items():
            core[self.left[group][:, None], state, self.right[after]] = matrix
        return core

    def scaled(self, left: Array, right: Array) -> "BlockCore":
        """Core times a positive diagonal matrix on each bond, given as vectors of dense indices."""
        blocks = {
            (group, state): (
                after,
                left[self.left[group], None] * matrix * right[self.right[after]],
            )
            for (group, state), (after, matrix) in self.blocks.items()
        }
        return BlockCore(blocks=blocks, left=self.left, right=self.right, site_dim=self.site_dim)


Environment = Mapping[Key, Array]
"""One side of a bond, contracted: for a group of the ket and one of the bra an array of shape
(ket, batch, bra); what is not there is zero."""


def block_core(core: Array, left: Groups, right: Groups, after: Mapping[Key, int]) -> BlockCore:
    """Blocks of a dense core.

    Parameters
    ----------
    core
        Array of shape (left, site, right).
    left, right
        Groups of its bonds.
    after
        Group on the right of a group on the left and a local state; those without one are zero.

    >>> whole = (np.arange(2),)
    >>> core = block_core(np.ones((2, 1, 2)), whole, whole, {(0, 0): 0})
    >>> print(core.blocks[0, 0][1].shape)
    (2, 2)
    """
    blocks = {}
    for (group, state), follows in after.items():
        matrix = np.ascontiguousarray(core[left[group][:, None], state, right[follows]])
        if matrix.any():
            blocks[group, state] = (follows, matrix)
    return BlockCore(blocks=blocks, left=left, right=right, site_dim=core.shape[1])


def diagonal_environment(groups: Groups, weights: Array) -> dict[Key, Array]:
    """Environment of a diagonal matrix, given as a vector of dense indices.

    >>> diagonal_environment((np.arange(2),), np.ones(2))[0, 0].shape
    (2, 1, 2)
    """
    return {
        (group, group): np.diag(weights[members])[:, None, :]
        for group, members in enumerate(groups)
    }


def through(
    environment: Environment, ket: BlockCore, bra: BlockCore, operator: Array | None = None
) -> dict[Key, Array]:
    r"""Left environment, taken through one site.

    .. math:: E'_{a'b'} = \sum_{a b s s'} O_{s's} K^s_{aa'} \bar{B}^{s'}_{bb'} E_{ab}

    Parameters
    ----------
    environment
        Everything to the left of the site.
    ket, bra
        Cores of the site; ``bra`` is conjugated here. For a right environment, give their mirror
        images.
    operator
        On-site matrix, vector of a diagonal one, or None for the identity.

    >>> whole = (np.arange(1),)
    >>> core = block_core(np.full((1, 2, 1), 0.6), whole, whole, {(0, 0): 0, (0, 1): 0})
    >>> found = through(diagonal_environment(whole, np.ones(1)), core, core)
    >>> print(f"{found[0, 0][0, 0, 0]:.2f}")
    0.72
    """
    elements = _elements(operator, ket.site_dim)
    bra = bra.conjugate
    result: dict[Key, Array] = {}
    for (above, below), values in environment.items():
        rows, batch, columns = values.shape
        flat = values.reshape(rows * batch, columns)
        for state, pairs in elements.items():
            step = bra.blocks.get((below, state))
            kets = [
                (weight, ket.blocks[above, s]) for s, weight in pairs if (above, s) in ket.blocks
            ]
            if step is None or not kets:
                continue
            half = (flat @ step[1]).reshape(rows, -1)
            for weight, (group, matrix) in kets:
                part = (matrix.T @ half).reshape(-1, batch, step[1].shape[1])
                part = part if weight == 1.0 else weight * part
                key = (group, step[0])
                result[key] = part if key not in result else result[key] + part
    return result


def joined(environments: Iterable[Environment], batches: Sequence[int]) -> dict[Key, Array]:
    """Environments of one bond as one batch.

    Parameters
    ----------
    environments
        Of the same bond.
    batches
        Batch of each.

    >>> one = {(0, 0): np.ones((2, 1, 2))}
    >>> print(joined([one, one], [1, 1])[0, 0].shape)
    (2, 2, 2)
    """
    environments = list(environments)
    result: dict[Key, Array] = {}
    for key in dict.fromkeys(key for environment in environments for key in environment):
        shape = next(e[key].shape for e in environments if key in e)
        result[key] = np.concatenate(
            [
                e[key] if key in e else np.zeros((shape[0], batch, shape[2]))
                for e, batch in zip(environments, batches, strict=True)
            ],
            axis=1,
        )
    return result


def overlap(left: Environment, right: Environment) -> Array:
    """Contraction of the two sides of a bond, of shape (batch of left, batch of right).

    >>> one = {(0, 0): np.ones((2, 1, 2))}
    >>> print(overlap(one, one).tolist())
    [[4.0]]
    """
    total: Array | float = 0.0
    for key in left.keys() & right.keys():
        total = total + np.tensordot(left[key], right[key], axes=((0, 2), (0, 2)))
    if isinstance(total, float):
        batches = [next((v.shape[1] for v in side.values()), 1) for side in (left, right)]
        return np.zeros(batches)
    return total


def _elements(operator: Array | None, site_dim: int) -> dict[int, list[tuple[int, complex]]]:
    """Non-zero elements of an operator: for each state of the bra those of the ket."""
    if operator is None:
        return {state: [(state, 1.0)] for state in range(site_dim)}
    if operator.shape[0] != site_dim:
        raise ShapeError(
            f"an on-site operator has dimension {operator.shape[0]}; the site has {site_dim}"
        )
    matrix = np.diag(operator) if operator.ndim == 1 else operator
    real = not np.iscomplexobj(matrix)
    return {
        row: [
            (int(s), float(matrix[row, s]) if real else complex(matrix[row, s]))
            for s in np.flatnonzero(matrix[row])
        ]
        for row in range(site_dim)
    }
