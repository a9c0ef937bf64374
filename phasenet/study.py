"""A study: one spin chain, its couplings, grid, symmetries, known phases and settings."""

import ast
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phasenet.card import KnownTransition, Phase, StudyCard
from phasenet.criteria import SPIN_SYMMETRIES, Order, StringOrder, Symmetry
from phasenet.errors import MissingInputError, StudyError
from phasenet.identity import digest
from phasenet.points import Grid, ParameterPoint
from phasenet.settings import RunSettings, explain


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
        Strength h of the field on the ends of an open chain, in units of the exchange: -h Sz on the
        first and +h Sz on the last site, or as the study says. It fixes free or ordered spins.
    """

    boundary: Boundary
    length: int
    pinning_field: float = 0.0


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
        Returns the local states that DMRG starts from, at a point and for a number of sites:
        TeNPy's labels, or vectors in TeNPy's basis.
    grid
        The points of parameter space.
    phases
        Known phases with what identifies them.
    symmetries
        Symmetries whose invariants are computed, each with its action on the cell and its cut.
    orders
        Local order parameters that tell which symmetries are broken.
    strings
        String orders to be measured; by default those of the spins along x, y and z.
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
    product_state: Callable[[ParameterPoint, int], list[Any]]
    grid: Grid
    phases: tuple[Phase, ...]
    symmetries: tuple[Symmetry, ...] = SPIN_SYMMETRIES
    orders: tuple[Order, ...] = ()
    strings: tuple[StringOrder, ...] = ()
    transitions: tuple[KnownTransition, ...] = ()
    settings: RunSettings = field(default_factory=RunSettings)
    code_digest: str = ""

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "_-" for c in self.name):
            raise StudyError(f"study name is {self.name!r}; use letters, digits, '_' and '-'")
        known = {
            "invariant": [symmetry.name for symmetry in self.symmetries],
            "order": [order.name for order in self.orders],
        }
        for phase in self.phases:
            asked = {"invariant": phase.invariants, "order": phase.orders}
            for kind, names in known.items():
                for name in set(asked[kind]) - set(names):
                    raise StudyError(
                        f"phase {phase.label!r} asks for the {kind} {name!r}; "
                        f"study {self.name} has {', '.join(names) or 'none'}"
                    )

    def card(self) -> StudyCard:
        """Return what later steps and files need to know."""
        return StudyCard(
            name=self.name,
            title=self.title,
            hamiltonian=self.hamiltonian,
            varied=self.grid.varied,
            phases=self.phases,
            symmetries=self.symmetries,
            orders=self.orders,
            strings=self.strings,
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
