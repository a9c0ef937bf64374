r"""Order parameters without strings: magnetisation, quadrupole, dimers, chirality.

Everything is put together from :math:`S^z` and the ladder operators, which change the charge by a
fixed amount: :math:`S^+_i S^-_j = S^x_i S^x_j + S^y_i S^y_j - i (S_i \times S_j)_z`.
"""

from dataclasses import dataclass

import numpy as np

from phasenet.phases.correlations import Probe, expectations, site_value
from phasenet.trains.blocks import overlap, through
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array, FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalOrders:
    r"""Local observables of a state; sites of the chain, or of one cell.

    An infinite state has as many pairs and triples of neighbours as its cell has sites.

    Parameters
    ----------
    spin
        <S^x>, <S^y>, <S^z> of each site, of shape (3, sites).
    quadrupole
        <(S^z)^2> of each site.
    biaxial
        <(S^x)^2 - (S^y)^2> of each site.
    neighbours
        <S^z S^z> of each site with the next one.
    exchange
        :math:`\langle S_i \cdot S_{i+1} \rangle`.
    vector_chirality
        :math:`\langle (S_i \times S_{i+1})_z \rangle`.
    scalar_chirality
        :math:`\langle S_i \cdot (S_{i+1} \times S_{i+2}) \rangle`.
    infinite
        Whether the sites are a cell that repeats.
    """

    spin: FloatArray
    quadrupole: FloatArray
    biaxial: FloatArray
    neighbours: FloatArray
    exchange: FloatArray
    vector_chirality: FloatArray
    scalar_chirality: FloatArray
    infinite: bool

    @property
    def magnetisation(self) -> FloatArray:
        """<S^z> of each site."""
        return np.asarray(self.spin[2])

    @property
    def staggered(self) -> float:
        """Mean of (-1)^i <S^z_i>; an odd cell is taken twice, so that the sign alternates."""
        values = self._repeated(self.magnetisation)
        return float(np.mean(_signs(values) * values))

    @property
    def staggered_spin(self) -> FloatArray:
        """(-1)^i <S_i> averaged over the bulk, of shape (3,)."""
        return np.array([self.staggered_mean(values) for values in self.spin])

    @property
    def dimers(self) -> FloatArray:
        r""":math:`(-1)^i \langle S_i \cdot S_{i+1} - S_{i+1} \cdot S_{i+2} \rangle`."""
        values = self._repeated(self.exchange)
        following = np.roll(values, -1) if self.infinite else values[1:]
        return np.asarray(_signs(following) * (values[: len(following)] - following))

    @property
    def dimer(self) -> float:
        """Dimers averaged over the bulk."""
        return self.bulk_mean(self.dimers)

    def bulk_mean(self, values: FloatArray) -> float:
        """Mean over the middle half of an open chain, or over the cell; NaN of no values."""
        return float(self._bulk(values).mean()) if len(values) else float("nan")

    def staggered_mean(self, values: FloatArray) -> float:
        """Mean of (-1)^i values_i, i from the first site, over an even part of the bulk."""
        values = self._repeated(values)
        bulk = self._bulk(_signs(values) * values)
        # Of an odd number of sites the uniform part would be left over.
        bulk = bulk[: len(bulk) - len(bulk) % 2]
        return float(bulk.mean()) if len(bulk) else float("nan")

    def _bulk(self, values: FloatArray) -> FloatArray:
        margin = 0 if self.infinite else len(values) // 4
        return np.asarray(values[margin : len(values) - margin])

    def _repeated(self, values: FloatArray) -> FloatArray:
        return np.tile(values, 2) if self.infinite and len(values) % 2 else values

    def __str__(self) -> str:
        # A chain of one site has no neighbours.
        pairs = self.neighbours.mean() if len(self.neighbours) else float("nan")
        return (
            f"m={self.magnetisation.mean():.6f}, m_staggered={self.staggered:.6f}, "
            f"(S^z)^2={self.quadrupole.mean():.6f}, S^z S^z={pairs:.6f}"
        )


def local_orders(state: State) -> LocalOrders:
    """Local observables of a finite or infinite state of spins.

    Parameters
    ----------
    state
        State in the z basis.

    >>> from phasenet.phases.exact import product_chain
    >>> print(local_orders(product_chain([0] * 4, 2)))
    m=0.500000, m_staggered=0.000000, (S^z)^2=0.250000, S^z S^z=0.250000
    """
    form = state_form(state)
    z, plus, minus = (Probe.of(form, name) for name in ("Sz", "Sp", "Sm"))
    raised = expectations(form, "Sp")
    pairs = _pairs(form, z, plus, minus)
    return LocalOrders(
        spin=np.stack([raised.real, raised.imag, expectations(form, "Sz")]),
        quadrupole=_squares(form, z),
        biaxial=_squares(form, plus),
        neighbours=pairs[0].real,
        exchange=(pairs[0] + pairs[1]).real,
        vector_chirality=-pairs[1].imag + 0.0,
        scalar_chirality=_scalar_chirality(form, z, plus, minus),
        infinite=form.infinite,
    )


def _squares(form: StateForm, probe: Probe) -> FloatArray:
    """Expectation value of the square of an operator on each site, its real part."""
    matrices = [probe.matrix(site) @ probe.matrix(site) for site in range(form.length)]
    return np.array([site_value(form, site, m).real for site, m in enumerate(matrices)])


def _pairs(form: StateForm, z: Probe, plus: Probe, minus: Probe) -> Array:
    """<S^z S^z> and <S^+ S^-> of each site with the next one, of shape (2, pairs)."""
    count = form.length if form.infinite else form.length - 1
    found = [
        [overlap(left.begun(site), right.ended(site + 1))[0, 0] for site in range(count)]
        for left, right in ((z, z), (plus, minus))
    ]
    return np.array(found, dtype=np.complex128)


def _scalar_chirality(form: StateForm, z: Probe, plus: Probe, minus: Probe) -> FloatArray:
    r"""Scalar chirality of three sites in a row.

    With :math:`(S_j \times S_k)_z = -\mathrm{Im}\, S^+_j S^-_k` it is the imaginary part of
    :math:`S^+ S^z S^- - S^z S^+ S^- - S^+ S^- S^z`.
    """
    count = form.length if form.infinite else max(form.length - 2, 0)
    if not any(np.iscomplexobj(core) for core in form.cores):
        # A product with one S^y has no expectation value in a real state.
        return np.zeros(count)
    values = []
    for site in range(count):
        middle, total = form.site(site + 1), 0.0
        for sign, (first, second, third) in (
            (1.0, (plus, z, minus)),
            (-1.0, (z, plus, minus)),
            (-1.0, (plus, minus, z)),
        ):
            begun = through(first.begun(site), middle, middle, second.matrix(site + 1))
            total += sign * complex(overlap(begun, third.ended(site + 2))[0, 0]).imag
        values.append(total)
    return np.array(values)


def _signs(values: FloatArray) -> FloatArray:
    return np.asarray((-1.0) ** np.arange(len(values)))
