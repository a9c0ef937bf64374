"""Functions that a user names: ``module:function``, ``file.py:function`` or a file of a network.

A module is imported because the user named it; nothing that a file names is ever imported.
"""

import difflib
import enum
import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import numpy as np

from phasenet.errors import MissingInputError, SettingsError
from phasenet.pipeline.product import parents_of
from phasenet.storage.container import read_header
from phasenet.storage.header import Kind, Parent
from phasenet.storage.wavefunctions import read_wavefunction
from phasenet.trains.train import Array, IntArray

Found = TypeVar("Found")
Function = Callable[[IntArray], Array]

SCRIPTED_SUFFIXES = (".pt", ".pth", ".ts")
WAVEFUNCTION_SUFFIX = f".{Kind.WAVEFUNCTION}.h5"
_WANTED = (
    "wanted NETWORK.h5, module:function, file.py:function or a TorchScript file such as net.pt"
)


class Form(enum.Enum):
    """Ways to name a function."""

    MODULE = "module:function"
    FILE = "file.py:function"
    SCRIPTED = "TorchScript file"
    WAVEFUNCTION = "neural wavefunction"


@dataclass(frozen=True, kw_only=True)
class FunctionSource:
    """A function by its name on the command line.

    Parameters
    ----------
    form
        How it is named.
    place
        Module, or path of a file.
    attribute
        Function, with dots for what is inside a class or an object; empty for a network.

    >>> FunctionSource.of("models/rbm.py:amplitude").name
    'rbm.py:amplitude'
    """

    form: Form
    place: str
    attribute: str

    @classmethod
    def of(cls, text: str) -> "FunctionSource":
        """Source from what the user typed; raises SettingsError."""
        if text.endswith(SCRIPTED_SUFFIXES):
            return cls(form=Form.SCRIPTED, place=text, attribute="")
        if text.endswith(WAVEFUNCTION_SUFFIX):
            return cls(form=Form.WAVEFUNCTION, place=text, attribute="")
        place, _, attribute = text.rpartition(":")
        if text.endswith(".py"):
            raise SettingsError(f"{text} names no function; wanted {text}:FUNCTION")
        if not place or not all(part.isidentifier() for part in attribute.split(".")):
            raise SettingsError(f"{text!r} names no network and no function; {_WANTED}")
        if place.endswith(".py"):
            return cls(form=Form.FILE, place=place, attribute=attribute)
        if not all(part.isidentifier() for part in place.split(".")):
            raise SettingsError(f"{place!r} is no module and no .py file; {_WANTED}")
        return cls(form=Form.MODULE, place=place, attribute=attribute)

    @property
    def name(self) -> str:
        """What the function is called in files: the same wherever its file lies."""
        if self.form is Form.MODULE:
            return f"{self.place}:{self.attribute}"
        file = Path(self.place).name
        return f"{file}:{self.attribute}" if self.attribute else file

    @property
    def default_out(self) -> Path:
        """Where its train goes: beside the file of a network, or into the current folder."""
        place = Path(self.place)
        if self.form is Form.SCRIPTED:
            return place.with_name(f"{place.stem}.train.h5")
        if self.form is Form.WAVEFUNCTION:
            return place.with_name(f"{place.name.removesuffix(WAVEFUNCTION_SUFFIX)}.train.h5")
        return Path(f"{self.attribute.split('.')[-1]}.train.h5")

    def digest(self) -> str:
        """Digest of the file that defines the function, empty for what is built into Python.

        Raises
        ------
        MissingInputError, SettingsError
        """
        if self.form is Form.WAVEFUNCTION:
            return read_header(self.place).id
        path = _module_file(self.place) if self.form is Form.MODULE else Path(self.place)
        if path is None:
            return ""
        if not path.is_file():
            raise MissingInputError(f"no file {path}")
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    @property
    def parents(self) -> tuple[Parent, ...]:
        """File of phasenet that holds the function, if it is one."""
        return parents_of([Path(self.place)]) if self.form is Form.WAVEFUNCTION else ()

    def load(self, device: str | None) -> Function:
        """Return the function, ready to be tensorized.

        Parameters
        ----------
        device
            Where a network is evaluated; None is the CPU.

        Raises
        ------
        MissingInputError, SettingsError
        """
        if self.form is Form.SCRIPTED:
            from phasenet.networks.scripted import scripted_function  # loads torch

            return scripted_function(Path(self.place), device or "cpu")
        if self.form is Form.WAVEFUNCTION:
            from phasenet.networks.wavefunctions.functions import amplitude_function

            return amplitude_function(read_wavefunction(self.place)[1], device or "cpu")
        if device is not None:
            raise SettingsError(
                f"--device belongs to networks; {self.name} decides itself where it is evaluated"
            )
        return _guarded(self.name, self.named())

    def named(self) -> Callable[..., Any]:
        """Return what is named itself, as the module or the file holds it.

        Raises
        ------
        MissingInputError, SettingsError
        """
        if self.form in (Form.SCRIPTED, Form.WAVEFUNCTION):
            raise SettingsError(
                f"{self.place} is a {self.form.value}, which holds no Python; name the function "
                "that makes the module, as file.py:function"
            )
        module = _module(self.place) if self.form is Form.MODULE else _executed(Path(self.place))
        return _attribute(module, self.place, self.attribute)


def _module_file(name: str) -> Path | None:
    _see_current_folder()
    spec = _tried(name, lambda: importlib.util.find_spec(name))
    if spec is None:
        raise _no_module(name)
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _module(name: str) -> ModuleType:
    _see_current_folder()
    return _tried(name, lambda: import_module(name))


def _executed(path: Path) -> ModuleType:
    """Module of a file; what lies beside the file can be imported by it."""
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    _see(path.resolve().parent)
    spec = importlib.util.spec_from_file_location(f"phasenet_function_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    loader = spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and the like look their own module up by its name.
    sys.modules[spec.name] = module
    _tried(str(path), lambda: loader.exec_module(module))
    return module


def _tried(name: str, load: Callable[[], Found]) -> Found:
    """What loading gives, or one sentence on why the code of the user cannot be loaded."""
    try:
        return load()
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise _no_module(name) from error
        raise SettingsError(f"{name} cannot be loaded: {_in_words(error)}") from error


def _no_module(name: str) -> SettingsError:
    return SettingsError(
        f"no module {name} in {Path.cwd()} or on Python's path; "
        "name a file that lies elsewhere as path/to/file.py:function"
    )


def _see_current_folder() -> None:
    _see(Path.cwd())


def _see(folder: Path) -> None:
    # For good: functions may import what lies beside them only when they are called.
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _attribute(module: ModuleType, place: str, name: str) -> Callable[..., Any]:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [n for n in dir(found) if n[0] != "_" and callable(getattr(found, n))]
            near = difflib.get_close_matches(part, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{place} has no function {name}{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise SettingsError(f"{place}:{name} is of type {type(found).__name__}; wanted a function")
    return cast(Callable[..., Any], found)


def _guarded(name: str, function: Callable[..., Any]) -> Function:
    """Function that gets its own copy of the states, and fails in one sentence."""

    def evaluate(states: IntArray) -> Array:
        try:
            return np.asarray(function(np.array(states)))
        except (Exception, SystemExit) as error:
            raise SettingsError(
                f"{name} failed when called with an {states.dtype} array of shape {states.shape}: "
                f"{_in_words(error)}"
            ) from error

    return evaluate


def _in_words(error: BaseException) -> str:
    detail = " ".join(str(error).split())
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__
