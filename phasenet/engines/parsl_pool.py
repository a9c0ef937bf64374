"""Workers in the jobs of a batch system, or wherever a Parsl configuration puts them.

Parsl (Babuji et al., HPDC 2019) submits the jobs, replaces those that end, and carries tasks to
the workers and their answers back.
"""

import os
import re
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.engines.deadline import STOP_VARIABLE, notice_seconds, with_notice
from phasenet.engines.tasks import WorkerDied
from phasenet.engines.threads import THREAD_VARIABLES
from phasenet.errors import PhasenetError, SettingsError
from phasenet.settings import ClusterSettings

if TYPE_CHECKING:
    from parsl import Config, DataFlowKernel

# Batch systems, and the commands that submit a job to them.
SITES = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub"}

# A job begins nothing new in the last tenth of its time: too much would be cut short.
_DRAIN_FRACTION = 0.1
_HEARTBEAT_SECONDS = 10
_LOST_AFTER_SECONDS = 40
_OWN_SESSION = """\
import ctypes, os, sys
os.setsid()
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
os.execvp(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def parsl_pool(site: str, settings: ClusterSettings, *, folder: Path) -> Iterator[Executor]:
    """Executor of workers that Parsl starts; its jobs end with the block.

    Parameters
    ----------
    site
        One of :data:`SITES`, or a Python file that defines ``config``, a ``parsl.Config``.
    settings
        What each job asks for; a file of one's own does not heed them.
    folder
        Its subfolder ``parsl`` takes Parsl's own logs and job scripts.

    Raises
    ------
    SettingsError
        Parsl is not installed, the batch system is not there, or the file defines no
        configuration.
    """
    from_path = os.environ.get("PATH", "")
    config = _config(site, settings, folder)
    _protect(config)
    from parsl import DataFlowKernel

    os.environ["PATH"] = f"{_scripts()}{os.pathsep}{from_path}"  # of Parsl's own helper programs
    kernel = None
    try:
        kernel = DataFlowKernel(config=config)
        yield _ParslExecutor(kernel)
    finally:
        os.environ["PATH"] = from_path
        if kernel is not None:
            kernel.cleanup()


def _config(site: str, settings: ClusterSettings, folder: Path) -> "Config":
    try:
        from parsl import Config
    except ModuleNotFoundError:
        raise SettingsError(
            "the engine parsl is not installed; pip install phasenet-mps[cluster]"
        ) from None
    if site in SITES:
        if shutil.which(SITES[site]) is None:
            raise SettingsError(f"site is {site}, but {SITES[site]} is not on PATH of this machine")
        return _batch_config(site, settings, folder)
    if not Path(site).is_file():
        raise SettingsError(f"site is {site!r}; wanted {', '.join(SITES)} or a Python file")
    try:
        config = runpy.run_path(site).get("config")
    except Exception as error:
        raise SettingsError(f"site file {site} raises {type(error).__name__}: {error}") from error
    if not isinstance(config, Config):
        raise SettingsError(f"site file {site} defines config = {config!r}; wanted a parsl.Config")
    return config


def _protect(config: "Config") -> None:
    """Let Parsl's helper process outlive the signal of Ctrl-C, but not its driver.

    Parsl waits for ever for a helper that is gone, and no job would be cancelled; and a helper
    without a driver would keep the jobs of workers until their time is over.
    """
    from parsl.executors import HighThroughputExecutor

    for executor in config.executors:
        if isinstance(executor, HighThroughputExecutor):
            command = list(executor.interchange_launch_cmd)
            executor.interchange_launch_cmd = [sys.executable, "-c", _OWN_SESSION, *command]


def _batch_config(site: str, settings: ClusterSettings, folder: Path) -> "Config":
    """Configuration of one job for each node, each with a worker for each core."""
    from parsl import Config
    from parsl.addresses import address_by_hostname
    from parsl.executors import HighThroughputExecutor
    from parsl.jobs.error_handlers import windowed_error_handler

    executor = HighThroughputExecutor(
        label="workers",
        # Parsl's own default asks a web site for the address of this machine.
        address=settings.address or address_by_hostname(),
        provider=_PROVIDERS[site](settings),
        max_workers_per_node=settings.cores,
        drain_period=_drain_seconds(settings.walltime),
        heartbeat_period=_HEARTBEAT_SECONDS,
        heartbeat_threshold=_LOST_AFTER_SECONDS,
        block_error_handler=windowed_error_handler,
    )
    return Config(executors=[executor], run_dir=str(folder / "parsl"), strategy_period=2)


def _slurm(settings: ClusterSettings) -> Any:
    from parsl.providers import SlurmProvider

    return SlurmProvider(
        partition=settings.queue or None,
        account=settings.account or None,
        cores_per_node=settings.cores,
        max_blocks=settings.nodes,
        walltime=settings.walltime,
        scheduler_options=settings.options,
        worker_init=worker_prelude(settings),
        exclusive=False,
    )


def _pbs(settings: ClusterSettings) -> Any:
    from parsl.providers import PBSProProvider

    return PBSProProvider(
        queue=settings.queue or None,
        account=settings.account or None,
        cpus_per_node=settings.cores,
        max_blocks=settings.nodes,
        walltime=settings.walltime,
        scheduler_options=settings.options,
        worker_init=worker_prelude(settings),
    )


def _lsf(settings: ClusterSettings) -> Any:
    from parsl.providers import LSFProvider

    return LSFProvider(
        queue=settings.queue or None,
        project=settings.account or None,
        request_by_nodes=False,
        cores_per_block=settings.cores,
        cores_per_node=settings.cores,
        max_blocks=settings.nodes,
        walltime=settings.walltime,
        scheduler_options=settings.options,
        worker_init=worker_prelude(settings),
        bsub_redirection=True,  # without it LSF does not read the #BSUB lines
    )


_PROVIDERS: dict[str, Callable[[ClusterSettings], Any]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "lsf": _lsf,
}


def worker_prelude(settings: ClusterSettings) -> str:
    """Shell text that a job runs before its workers start.

    >>> print(worker_prelude(ClusterSettings(prelude="module load python")).splitlines()[0])
    module load python
    """
    variables = " ".join(f"{name}=1" for name in THREAD_VARIABLES)
    seconds = _seconds(settings.walltime)
    stop = f"{STOP_VARIABLE}=$(($(date +%s) + {seconds - notice_seconds(seconds)}))"
    lines = (settings.prelude, f"export {variables} {stop}", f'export PATH="{_scripts()}:$PATH"')
    return "\n".join(lines) + "\n"


def _scripts() -> Path:
    return Path(sys.executable).parent


def _seconds(walltime: str) -> int:
    hours, minutes, seconds = (int(part) for part in walltime.split(":"))
    return 3600 * hours + 60 * minutes + seconds


def _drain_seconds(walltime: str) -> int:
    # Earlier than the workers are told to stop, or they would be given the same tasks again.
    whole = _seconds(walltime)
    return whole - max(int(_DRAIN_FRACTION * whole), 2 * notice_seconds(whole))


class _ParslExecutor(Executor):
    """Parsl as an executor that tells the death of a worker as all others do."""

    def __init__(self, kernel: "DataFlowKernel") -> None:
        from parsl.concurrent import ParslPoolExecutor

        self._pool = ParslPoolExecutor(dfk=kernel)
        self._logs = kernel.run_dir
        self._out_of_order: Exception | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Future of a function; it cannot be cancelled."""
        if self._out_of_order is not None:
            reason = _reason(self._out_of_order)
            raise PhasenetError(f"the jobs of workers fail: {reason}; more in {self._logs}")
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        theirs = self._pool.submit(with_notice, fn, *args, **kwargs)
        theirs.add_done_callback(lambda ended: self._hand_on(ended, future))
        return future

    def _hand_on(self, theirs: Future[Any], ours: Future[Any]) -> None:
        from parsl.executors.errors import BadStateException
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
        from parsl.jobs.errors import TooManyJobFailuresError

        error = theirs.exception()
        if error is None:
            ours.set_result(theirs.result())
        elif isinstance(error, (ManagerLost, WorkerLost)):
            ours.set_exception(WorkerDied(str(error)))
        elif isinstance(error, (BadStateException, TooManyJobFailuresError)):
            self._out_of_order = error
            ours.set_exception(WorkerDied(_reason(error)))
        else:
            ours.set_exception(error)


def _reason(error: Exception) -> str:
    """What Parsl tells of jobs that fail, each line once, without its numbers."""
    lines = (re.sub(r"Error \d+:", "", line).strip() for line in str(error).splitlines())
    return " ".join(list(dict.fromkeys(filter(None, lines)))[:4]) or type(error).__name__
