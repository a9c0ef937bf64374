"""A study: one spin chain, its couplings, grid, symmetries, known phases and settings."""

import ast
import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phasenet.errors import MissingInputError, StudyError
from phasenet.identity import digest
from phasenet.points import Grid, ParameterPoint
from phasenet.settings import RunSettings, explain

INVARIANTS = ("Z2xZ2", "time reversal", "bond inversion")


class Boundary(StrEnum):
    """How a chain ends."""

    FINITE = "finite"
    INFINITE = "infinite"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What a study needs to know of a chain to build its model.

    Parameters
    ----------
    boundary
        Open chain, or repeating cell.
    length
        Sites of the open chain or of the cell.
    pinning_field
        Strength h of the field -h Sz on the first and +h Sz on the last site of an open chain,
        in units of the exchange; it fixes the edge spins.
    """

    boundary: Boundary
    length: int
    pinning_field: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase, recognised by the SPT invariants of the infinite ground state.

    Parameters
    ----------
    label
        Short name in files, such as ``haldane``.
    title
        Name in figures.
    invariants
        Value (+1 or -1) of each invariant that the phase is recognised by.
    citation
        Where the phase is established.
    """

    label: str
    title: str
    invariants: Mapping[str, int]
    citation: str


@dataclass(frozen=True, kw_only=True)
class KnownTransition:
    """A phase boundary from the literature, drawn as a mark and never used to label.

    Parameters
    ----------
    coupling
        The coupling that is varied.
    value, error
        Its critical value and the quoted uncertainty.
    at
        The other couplings.
    citation
        Source.
    """

    coupling: str
    value: float
    error: float
    at: Mapping[str, float]
    citation: str


@dataclass(frozen=True, kw_only=True)
class StudyCard:
    """What later steps and files need to know of a study: plain values, no code.

    Parameters
    ----------
    name, title, hamiltonian
        Name in file names, title and formula in figures.
    varied
        Couplings that take more than one value on the grid.
    phases, transitions
        As in :class:`Study`.
    settings
        Settings of all steps as plain values: a file stays readable when the settings of a newer
        version differ, and :meth:`run_settings` checks them where they are used.
    """

    name: str
    title: str
    hamiltonian: str
    varied: tuple[str, ...]
    phases: tuple[Phase, ...]
    transitions: tuple[KnownTransition, ...]
    settings: Mapping[str, Any]

    def known_transitions(
        self, coupling: str, at: Mapping[str, float]
    ) -> tuple[KnownTransition, ...]:
        """Literature values along one coupling, where the other couplings are the same."""
        return tuple(
            known
            for known in self.transitions
            if known.coupling == coupling
            and all(math.isclose(at.get(name, math.nan), v) for name, v in known.at.items())
        )

    def run_settings(self) -> RunSettings:
        """Return the settings, checked; raises SettingsError."""
        return RunSettings.checked(self.settings)

    def as_dict(self) -> dict[str, Any]:
        """Return the card as plain JSON values."""
        return {
            "name": self.name,
            "title": self.title,
            "hamiltonian": self.hamiltonian,
            "varied": list(self.varied),
            "phases": [{**vars(p), "invariants": dict(p.invariants)} for p in self.phases],
            "transitions": [{**vars(t), "at": dict(t.at)} for t in self.transitions],
            "settings": dict(self.settings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StudyCard":
        """Card from plain values, as a file holds them."""
        try:
            return cls(
                name=str(values["name"]),
                title=str(values["title"]),
                hamiltonian=str(values["hamiltonian"]),
                varied=tuple(str(name) for name in values["varied"]),
                phases=tuple(Phase(**phase) for phase in values["phases"]),
                transitions=tuple(KnownTransition(**t) for t in values["transitions"]),
                settings=dict(values["settings"]),
            )
        except (KeyError, TypeError) as error:
            raise StudyError(f"the study card of the file lacks or misnames {error}") from None


@dataclass(frozen=True, kw_only=True)
class Study:
    """One spin chain and everything that a run needs to know of it.

    Parameters
    ----------
    name
        Name of the study in file names: letters, digits, ``_`` and ``-``.
    title, hamiltonian
        For figures and tables.
    spin
        Spin of each site, 1/2, 1, ...
    build_model
        Returns the TeNPy model of a point on a chain.
    product_state
        Returns the local states (TeNPy's labels) that DMRG starts from, for a number of sites.
    grid
        The points of parameter space.
    phases
        Known phases with the invariants that identify them.
    transitions
        Boundaries known from the literature.
    settings
        Settings of each step of a run.
    code_digest
        Set by :func:`load_study`: digest of the code that the model depends on.
    """

    name: str
    title: str
    hamiltonian: str
    spin: float
    build_model: Callable[[ParameterPoint, Chain], Any]
    product_state: Callable[[int], list[str]]
    grid: Grid
    phases: tuple[Phase, ...]
    transitions: tuple[KnownTransition, ...] = ()
    settings: RunSettings = field(default_factory=RunSettings)
    code_digest: str = ""

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "_-" for c in self.name):
            raise StudyError(f"study name is {self.name!r}; use letters, digits, '_' and '-'")
        for phase in self.phases:
            for name, value in phase.invariants.items():
                if name not in INVARIANTS or value not in (-1, 1):
                    raise StudyError(
                        f"phase {phase.label!r} asks for {name} = {value}; "
                        f"wanted +1 or -1 for some of {', '.join(INVARIANTS)}"
                    )

    def card(self) -> StudyCard:
        """Return what later steps and files need to know."""
        return StudyCard(
            name=self.name,
            title=self.title,
            hamiltonian=self.hamiltonian,
            varied=self.grid.varied,
            phases=self.phases,
            transitions=self.transitions,
            settings=self.settings.as_dict(),
        )


def load_study(path: Path | str) -> Study:
    """Study of a module file; the file is executed, so load only what you trust.

    Parameters
    ----------
    path
        A Python file that defines ``STUDY``.

    Raises
    ------
    MissingInputError, StudyError
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError(f"no study at {path}; give the path of a file such as haldane.py")
    if path.suffix != ".py":
        raise StudyError(f"{path} is no Python file; a study is a .py file that defines STUDY")
    spec = importlib.util.spec_from_file_location(f"phasenet_study_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ValidationError as error:
        raise StudyError(f"{path} cannot be loaded: {explain(error)}") from error
    except Exception as error:
        detail = " ".join(str(error).split())
        raise StudyError(f"{path} cannot be loaded: {type(error).__name__}: {detail}") from error
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise StudyError(f"{path} defines no STUDY; end it with STUDY = phasenet.Study(...)")
    return replace(study, code_digest=_code_digest(path, study))


def _code_digest(path: Path, study: Study) -> str:
    """Digest of the code that the model and its starting state depend on.

    Comments, docstrings, STUDY and names that only STUDY uses are left out: a value inside STUDY
    enters the identity of just the steps that use it.
    """
    body = ast.parse(path.read_text(encoding="utf-8")).body
    roots = {getattr(f, "__name__", "") for f in (study.build_model, study.product_state)}
    known = {name for node in body for name in _bound_names(node)}
    # A model that is no function of this file may depend on any of it.
    names = roots if roots <= known else known - {"STUDY"}
    chosen: set[int] = set()
    grown = True
    while grown:
        grown = False
        for index, node in enumerate(body):
            bound = _bound_names(node)
            runs_anyway = not bound and not _is_text(node)
            if index not in chosen and (runs_anyway or bound & names):
                chosen.add(index)
                names = names | {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                grown = True
    return digest([_bare_text(node) for index, node in enumerate(body) if index in chosen])


def _bound_names(node: ast.stmt) -> set[str]:
    """Names that a statement at the top of a module binds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {name.id for name in stored if isinstance(name.ctx, ast.Store)}


def _bare_text(node: ast.stmt) -> str:
    """Source of a statement without comments and docstrings."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner.body = [item for item in inner.body if not _is_text(item)] or [ast.Pass()]
    return ast.unparse(node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
