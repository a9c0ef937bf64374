"""Small random trains of every kind, and the dense tensors to hold them against."""

import numpy as np
from hypothesis import strategies as st

from phasenet.trains.train import TensorTrain

DTYPES = (np.float64, np.complex128, np.float32, np.complex64)


def random_train(
    rng, dims, *, bond=3, outputs=None, output_site=None, dtype=np.float64, positive=False
):
    """Train of Gaussian (or uniform positive) cores; a site for the outputs is drawn if needed."""
    length = len(dims)
    bonds = [1, *rng.integers(1, bond + 1, size=length - 1), 1]
    if outputs is not None and output_site is None:
        output_site = int(rng.integers(length))
    cores = []
    for site in range(length):
        shape = (bonds[site], int(dims[site]), bonds[site + 1])
        shape += (outputs,) if site == output_site else ()
        core = rng.random(shape) + 0.01 if positive else rng.normal(size=shape)
        if np.issubdtype(dtype, np.complexfloating):
            core = core + 1j * rng.normal(size=shape)
        cores.append(core.astype(dtype))
    return TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=float(rng.normal()))


@st.composite
def small_trains(
    draw,
    *,
    count=1,
    outputs=(None, 1, 2, 3),
    dtypes=(np.float64, np.complex128),
    min_length=1,
    min_dim=1,
    dim=None,
    positive=False,
    bond=3,
):
    """One train of at most 6 sites, or a tuple of them on the same sites with the same outputs."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    length = draw(st.integers(min_length, 6))
    dims = [dim] * length if dim else rng.integers(min_dim, 4, size=length)
    outputs, dtype = draw(st.sampled_from(outputs)), draw(st.sampled_from(dtypes))
    trains = tuple(
        random_train(rng, dims, bond=bond, outputs=outputs, dtype=dtype, positive=positive)
        for _ in range(count)
    )
    return trains if count > 1 else trains[0]


def words(dims):
    """All configurations, in the order of a dense tensor's entries."""
    grids = np.meshgrid(*(np.arange(dim) for dim in dims), indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def dense(train):
    """Values at all configurations, from the plain product of the cores in double precision."""
    total = np.ones((1, 1, 1))
    for site, core in enumerate(train.cores):
        core = core.astype(np.result_type(core, np.float64))
        if site == train.output_site:
            total = np.einsum("nlo,lsrc->nsrc", total, core)
        else:
            total = np.einsum("nlo,lsr->nsro", total, core)
        total = total.reshape(-1, *total.shape[2:])
    values = total[:, 0] * np.exp(train.log_scale)
    return values[:, 0] if train.output_site is None else values


def tolerance(train):
    """Rounding error of values of a small train, relative to the largest."""
    return 2000 * float(np.finfo(np.result_type(*train.cores)).eps)
