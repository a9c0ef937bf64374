"""Settings of each step, checked at the edge; an unknown key is an error with the nearest name."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from phasenet.errors import SettingsError

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Method = Literal["auto", "cross", "sketch"]
Architecture = Literal["convolutional", "mlp", "gru", "transformer", "correlator", "train"]
_FIRST_TRAINED = (
    "channels",
    "kernel",
    "learning_rate",
    "weight_decay",
    "batch",
    "max_epochs",
    "patience",
)
NETWORK_SIZES = ("channels", "kernel", "width", "depth", "heads", "order", "bond")
"""Settings of a classifier that only some architectures use."""
BASES = ("Sz", "Sx", "Sy", "random", "unbiased")
"""Bases of a measurement: a spin component on all sites, or one drawn for each site of each shot.

``random``: Sx, Sy or Sz; ``unbiased``: one of the d + 1 mutually unbiased bases of d local states,
which suffice for every observable; of spins 1/2 both are the same.
"""


def _checked_basis(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    allowed = BASES if len(names) == 1 else BASES[:3]
    for name in names:
        if name not in allowed:
            raise ValueError(
                f"wanted one of {', '.join(BASES)}, or a pattern of spin components such as Sx,Sz"
            )
    return ",".join(names)


Basis = Annotated[str, AfterValidator(_checked_basis)]


class Settings(BaseModel):
    """Base of all settings: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Settings from a mapping, or SettingsError in one sentence.

        >>> SampleSettings.checked({"shots": 100}).shots
        100
        >>> SampleSettings.checked({"shot": 100})
        Traceback (most recent call last):
        phasenet.errors.SettingsError: sample setting 'shot' is unknown; did you mean 'shots'?
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise SettingsError(explain(error)) from None

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return self.model_dump(mode="json")


def explain(error: ValidationError) -> str:
    """One sentence on the first thing that is wrong, and for an unknown key the nearest name."""
    first = error.errors()[0]
    *path, last = (str(part) for part in first["loc"])
    name = ".".join([*path, last])
    subject = f"{error.title.removesuffix('Settings').lower()} setting {name!r}"
    if first["type"] != "extra_forbidden":
        return f"{subject} is {first.get('input')!r}; {first['msg'].removeprefix('Value error, ')}"
    owner = next(kind for kind in Settings.__subclasses__() if kind.__name__ == error.title)
    for part in path:
        inner = owner.model_fields[part].annotation
        assert isinstance(inner, type) and issubclass(inner, Settings)
        owner = inner
    near = difflib.get_close_matches(last, list(owner.model_fields), n=1, cutoff=0.5)
    if near:
        return f"{subject} is unknown; did you mean {'.'.join([*path, near[0]])!r}?"
    return f"{subject} is unknown; known: {', '.join(owner.model_fields)}"


class FiniteSettings(Settings):
    """Finite DMRG of an open chain."""

    length: Annotated[int, Field(ge=4)] = 32
    pinning_field: float = 0.5
    first_bond: Count = 16
    max_bond: Count = 48
    truncation_atol: Positive = 1e-9
    cutoff: Positive = 1e-10
    energy_atol: Positive = 1e-9
    entropy_atol: Positive = 1e-5
    max_sweeps: Count = 40


class InfiniteSettings(Settings):
    """Infinite DMRG of a repeating cell."""

    cell: Annotated[int, Field(ge=2)] = 2
    first_bond: Count = 16
    max_bond: Count = 64
    truncation_atol: Positive = 1e-9
    cutoff: Positive = 1e-10
    energy_atol: Positive = 1e-9
    entropy_atol: Positive = 1e-6
    max_sweeps: Count = 800


class SweepSettings(Settings):
    """How the points of a grid are worked on.

    ``chain`` neighbouring points are one unit of work: the first starts cold, each other one from
    the state before it (1: every point starts cold). Every ``second_start``-th point of a chain,
    and those where the state changes abruptly, start from the product state as well.
    """

    boundaries: tuple[Literal["infinite", "finite"], ...] = ("infinite", "finite")
    chain: Annotated[int, Field(ge=1, le=50)] = 7
    second_start: Count = 5


class SampleSettings(Settings):
    """Snapshots and their labels; a chain must be ``xi_per_length`` correlation lengths long.

    ``basis`` is one of BASES, or a pattern along the chain such as ``Sx,Sz``; ``window`` sites of
    the infinite state are measured instead of the open chain, if it is not 0; ``likelihood`` says
    for which shots the likelihoods of all classes are computed (of a window, each costs as much as
    a shot for every index of its left bond, and with ``none`` its own probability is left out as
    well); ``phases`` keeps the phase of each amplitude; ``label`` names what labels follow from;
    ``balance`` gives all classes equally many shots.
    """

    shots: Count = 4000
    basis: Basis = "Sz"
    window: Annotated[int, Field(ge=0)] = 0
    transform: Literal["none", "Kennedy-Tasaki"] = "none"
    likelihood: Literal["all", "held out", "none"] = "all"
    phases: bool = False
    label: Literal["state", "coordinate", "none"] = "state"
    split: Literal["point", "region"] = "point"
    balance: bool = False
    validation: Fraction = 0.2
    test: Fraction = 0.2
    xi_per_length: Positive = 2.0

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, without those that say what always was so.

        Files made before there was a choice keep their identity.
        """
        older = ("shots", "basis", "validation", "test", "xi_per_length")
        before = SampleSettings(likelihood="held out").model_dump(mode="json")
        values = self.model_dump(mode="json")
        return {n: value for n, value in values.items() if n in older or value != before[n]}


class NoiseSettings(Settings):
    """Faults of a detector, applied to shots in this order.

    A fraction ``depolarised`` of the shots is replaced by uniformly random ones. Each site is read
    as another state with probability ``flip``, all others alike, or by ``confusion``: entry (i, j)
    is the probability to read j where the state is i. A fraction ``lost`` of all sites is not read.
    """

    depolarised: Share = 0.0
    flip: Share = 0.0
    confusion: tuple[tuple[Share, ...], ...] = ()
    lost: Share = 0.0


class ControlSettings(Settings):
    """Copies of held-out shots that an order was taken out of, and pairs of points.

    ``copies`` are names such as ``sign scramble``, ``block flip 4``, ``zero shuffle``; ``matched``
    pairs of points of different classes, equal in densities and two-point functions up to
    ``matched_range`` sites, are named.
    """

    copies: tuple[str, ...] = ()
    matched: Annotated[int, Field(ge=0)] = 0
    matched_range: Count = 4


class FeatureSettings(Settings):
    """What is stored of each point beside its shots.

    ``correlators`` are pairs of operators such as ``Sz Sz``; ``density_matrix`` is the number of
    sites in the middle whose reduced density matrix is kept; ``spectrum`` the number of Schmidt
    values of each bond.
    """

    correlators: tuple[str, ...] = ()
    density_matrix: Annotated[int, Field(ge=0, le=6)] = 0
    spectrum: Annotated[int, Field(ge=0)] = 0


class TrainSettings(Settings):
    """A classifier and its training.

    ``architecture`` is the kind of network; the settings below it that a kind does not use keep
    their defaults: ``channels`` and ``kernel`` (convolutional, correlator), ``width`` and ``depth``
    (mlp, gru, transformer), ``heads`` (transformer), ``order`` (correlator), ``bond`` (train).
    ``layers`` says how its large weights are held; ``rank`` is then that of each of them.
    ``seeds`` networks are trained, each from weights of its own.
    """

    architecture: Architecture = "convolutional"
    channels: tuple[Count, ...] = (8, 8)
    kernel: Count = 3
    width: Count = 64
    depth: Count = 2
    heads: Count = 4
    order: Annotated[int, Field(ge=1, le=8)] = 4
    bond: Count = 8
    layers: Literal["dense", "tucker", "mpo", "cp"] = "dense"
    rank: Count = 8
    seeds: Count = 1
    learning_rate: Positive = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch: Count = 256
    max_epochs: Count = 30
    patience: Count = 8

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, without those that say what always was so.

        Files made before there was a choice keep their identity.
        """
        before = TrainSettings().model_dump(mode="json")
        values = self.model_dump(mode="json")
        return {n: v for n, v in values.items() if n in _FIRST_TRAINED or v != before[n]}


class TensorizeSettings(Settings):
    """Tensor trains of the classifier: its logits, and its probabilities at a rank of their own."""

    tol: Positive = 1e-6
    max_rank: Count = 32
    probability_rank: Count = 64
    samples: Count = 4000
    held_out_per_point: Count = 400
    max_evaluations: Count = 2_000_000
    method: Method = "auto"

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, the method only where one was chosen.

        Files made before there was a choice keep their identity.
        """
        return self.model_dump(mode="json", exclude={"method"} if self.method == "auto" else None)

    def changed(self, options: "TensorizeOptions") -> "TensorizeSettings":
        """Return the settings with what was asked for; one rank then holds for both functions.

        >>> TensorizeSettings().changed(TensorizeOptions(max_rank=8)).probability_rank
        8
        """
        changes = options.changes()
        if "max_rank" in changes:
            changes["probability_rank"] = changes["max_rank"]
        return TensorizeSettings.checked({**self.as_dict(), **changes})


class FunctionSettings(Settings):
    """Tensor train of any function."""

    tol: Positive = 1e-6
    max_rank: Count = 64
    max_evaluations: Count = 2_000_000
    method: Method = "auto"
    seed: Seed = 0


class FitSettings(Settings):
    """A neural wavefunction and its fit to a ground state.

    ``width`` and ``depth`` are those of its recurrent layers. Each of ``max_epochs`` epochs sees
    ``shots`` fresh shots; after ``patience`` epochs without a lower loss on fixed ones the fit
    ends. ``refine_epochs`` more epochs raise the fidelity itself. ``overlap_shots`` shots give the
    fidelity that is reported.
    """

    width: Count = 64
    depth: Count = 1
    shots: Count = 4096
    batch: Count = 64
    learning_rate: Positive = 5e-3
    max_epochs: Count = 60
    patience: Count = 20
    refine_epochs: Annotated[int, Field(ge=0)] = 0
    overlap_shots: Annotated[int, Field(ge=2)] = 30_000
    seed: Seed = 0


class DiscoverSettings(Settings):
    """Transitions found in snapshots without their labels.

    At most ``shots`` of each point are used, half to learn from and half to judge on. ``ends``
    points on either side of the line are what its points are compared with; 0: a fifth of all.
    ``seeds`` networks of each kind are trained for ``max_epochs``.
    """

    shots: Annotated[int, Field(ge=20)] = 2000
    ends: Annotated[int, Field(ge=0)] = 0
    seeds: Count = 2
    max_epochs: Count = 10
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class TensorizeOptions:
    """What is asked for beside the settings; None leaves a setting as it is.

    Parameters
    ----------
    device
        Where a network is evaluated; it decides the last bits at most, and so no identity.
    """

    tol: float | None = None
    max_rank: int | None = None
    max_evaluations: int | None = None
    method: str | None = None
    seed: int | None = None
    device: str | None = None

    def changes(self) -> dict[str, Any]:
        """Return the settings of the tensorizer that were asked for, without the seed."""
        names = ("tol", "max_rank", "max_evaluations", "method")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class ClusterSettings(Settings):
    """What a batch system is asked for; it decides no result.

    ``walltime`` as hours:minutes:seconds; ``nodes`` of ``cores`` worker processes each; ``prelude``
    is shell text that runs first on each node, such as ``module load``; ``options`` are lines for
    the head of the batch script, such as ``#SBATCH --mem-per-cpu=2G``.
    """

    queue: str = ""
    account: str = ""
    walltime: Annotated[str, Field(pattern=r"^\d+:[0-5]\d:[0-5]\d$")] = "04:00:00"
    nodes: Count = 1
    cores: Count = 1
    prelude: str = ""
    options: str = ""
    address: str = ""


class RunSettings(Settings):
    """Settings of a whole run, one group for each step, and the one seed of all random streams."""

    seed: Seed = 0
    finite: FiniteSettings = FiniteSettings()
    infinite: InfiniteSettings = InfiniteSettings()
    sweep: SweepSettings = SweepSettings()
    cluster: ClusterSettings = ClusterSettings()
    sample: SampleSettings = SampleSettings()
    noise: NoiseSettings = NoiseSettings()
    controls: ControlSettings = ControlSettings()
    features: FeatureSettings = FeatureSettings()
    train: TrainSettings = TrainSettings()
    tensorize: TensorizeSettings = TensorizeSettings()
