"""What the chains and the points of a dataset are called."""

from collections import Counter
from collections.abc import Sequence

from phasenet.shots import SampledPoint, Source


def source_names(sources: Sequence[Source]) -> tuple[str, ...]:
    """Name of each chain: its title, and what else it takes to tell it from the others.

    >>> chain = Source(study="toy", title="Toy", hamiltonian="", sites=8, boundary="finite")
    >>> source_names([chain])
    ('Toy',)
    """
    titles = Counter(source.title for source in sources)
    names = [
        source.title if titles[source.title] == 1 else f"{source.title}, {size_of(source)}"
        for source in sources
    ]
    again = Counter(names)
    return tuple(
        name if again[name] == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)
    )


def size_of(source: Source) -> str:
    """Length and boundary of a chain in words.

    >>> size_of(Source(study="", title="", hamiltonian="", sites=8, boundary="infinite"))
    '8 sites of the infinite state'
    """
    return f"{source.sites} sites" + (
        " of the infinite state" if source.boundary == "infinite" else ""
    )


def varied_couplings(points: Sequence[SampledPoint]) -> tuple[str, ...]:
    """Couplings that take more than one value.

    >>> from phasenet.points import ParameterPoint
    >>> points = [ParameterPoint.of(D=d, Delta=1.0) for d in (0.0, 0.5)]
    >>> varied_couplings([SampledPoint(point=p, label="", split="", reason="") for p in points])
    ('D',)
    """
    values: dict[str, set[float]] = {}
    for point in points:
        for name, value in point.point.couplings:
            values.setdefault(name, set()).add(value)
    return tuple(name for name, found in values.items() if len(found) > 1)
