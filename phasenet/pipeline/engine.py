"""Where the states of a sweep are found."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from phasenet.engines.local import local_pool
from phasenet.errors import SettingsError
from phasenet.settings import ClusterSettings


class EngineKind(StrEnum):
    """Engines that phasenet starts itself."""

    LOCAL = "local"
    PARSL = "parsl"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What works on the units of a sweep; it decides no result.

    Parameters
    ----------
    kind
        Worker processes on this machine, or jobs of a batch system through Parsl.
    workers
        Worker processes of the local engine.
    site
        ``slurm``, ``pbs``, ``lsf``, or a file of Parsl's, for the engine parsl.
    executor
        Any executor, instead of both; it stays open.
    """

    kind: EngineKind = EngineKind.LOCAL
    workers: int = 2
    site: str = ""
    executor: Executor | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise SettingsError(f"workers is {self.workers}; wanted at least 1")
        if self.kind == EngineKind.PARSL and not self.site and self.executor is None:
            raise SettingsError("the engine parsl needs --site slurm, pbs, lsf or FILE.py")
        if self.kind == EngineKind.LOCAL and self.site:
            raise SettingsError(f"--site {self.site} belongs to --engine parsl")

    @contextmanager
    def open(self, settings: ClusterSettings, folder: Path) -> Iterator[Executor]:
        """Executor for units of work.

        Parameters
        ----------
        settings
            What a batch system is asked for.
        folder
            Where the engine may leave its own notes.
        """
        if self.executor is not None:
            yield self.executor
        elif self.kind == EngineKind.PARSL:
            from phasenet.engines.parsl_pool import parsl_pool  # an extra

            with parsl_pool(self.site, settings, folder=folder) as executor:
                yield executor
        else:
            with local_pool(self.workers) as executor:
                yield executor
