"""Search over a small grid of settings, decided by the loss on the split ``validation``."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_origin

import numpy as np

from phasenet.errors import SettingsError
from phasenet.settings import TrainSettings
from phasenet.trained import Candidate, Member


@dataclass(frozen=True, kw_only=True)
class SearchAxis:
    """One setting and the values that a search tries.

    Parameters
    ----------
    name
        A setting of :class:`phasenet.settings.TrainSettings`.
    values
        Checked values.

    >>> SearchAxis.of("width=32,64").values
    (32, 64)
    >>> SearchAxis.of("channels=[8,8],[16]").values
    ((8, 8), (16,))
    """

    name: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, text: str) -> "SearchAxis":
        """Axis as it is typed, ``NAME=VALUE,VALUE``; a value that is a list stands in brackets.

        Raises
        ------
        SettingsError
            It is no such text, or the setting or a value of it does not exist.
        """
        name, _, right = text.partition("=")
        name = name.strip().removeprefix("train.")
        parts = [part.strip() for part in _parts(right)]
        if not name or not all(parts):
            raise SettingsError(f'--search {text!r} is no list; write --search "NAME=VALUE,VALUE"')
        if name == "seeds":
            raise SettingsError(
                "--search cannot vary train.seeds, which decides no loss; use --seeds"
            )
        field = TrainSettings.model_fields.get(name)
        listed = field is not None and get_origin(field.annotation) is tuple
        given = [[p for p in v.strip("[] ").split(",") if p] if listed else v for v in parts]
        values = [getattr(TrainSettings.checked({name: value}), name) for value in given]
        if len(set(values)) != len(values):
            raise SettingsError(f"--search {text!r} names a value twice; name each once")
        return cls(name=name, values=tuple(values))


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One entry of a grid.

    Parameters
    ----------
    values
        The settings that vary.
    settings
        All settings.
    """

    values: dict[str, Any]
    settings: TrainSettings

    @property
    def title(self) -> str:
        """The values in words.

        >>> next(trials_of(TrainSettings(), [SearchAxis.of("width=32")])).title
        'width = 32'
        """
        return shown_values(self.values)


def trials_of(settings: TrainSettings, axes: Sequence[SearchAxis]) -> Iterator[Trial]:
    """All combinations of the values of some axes, the last axis running fastest.

    Parameters
    ----------
    settings
        Of what does not vary.
    axes
        Of different settings.

    Raises
    ------
    SettingsError
        Two axes vary the same setting.

    >>> axes = [SearchAxis.of("width=32,64"), SearchAxis.of("depth=1,2")]
    >>> [trial.title for trial in trials_of(TrainSettings(), axes)][1]
    'width = 32, depth = 2'
    """
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"--search varies {name} twice; give all of its values at once")
    for row in itertools.product(*(axis.values for axis in axes)):
        values = dict(zip(names, row, strict=True))
        yield Trial(values=values, settings=settings.model_copy(update=values))


def candidate_of(trial: Trial, member: Member) -> Candidate:
    """What became of a trial."""
    best = member.best_epoch - 1
    losses = member.history["validation_loss"]
    return Candidate(
        # As a file holds them.
        values={n: list(v) if isinstance(v, tuple) else v for n, v in trial.values.items()},
        validation_loss=float(losses[best]) if best >= 0 else float("inf"),
        validation_accuracy=float(member.history["validation_accuracy"][best]),
        epochs=len(losses),
        parameters=sum(array.size for array in member.weights.values()),
    )


def chosen_of(candidates: Sequence[Candidate]) -> int:
    """Index of the candidate of the least validation loss, the first of equals."""
    return int(np.argmin([candidate.validation_loss for candidate in candidates]))


def shown_values(values: Mapping[str, Any]) -> str:
    """Settings and their values in words.

    >>> shown_values({"channels": (8, 8), "learning_rate": 0.01})
    'channels = 8,8, learning_rate = 0.01'
    """
    return ", ".join(f"{name} = {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(text: str) -> list[str]:
    """Parts between those commas that stand in no brackets."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return found
