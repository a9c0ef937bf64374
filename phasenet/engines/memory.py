"""Memory that is still free for this process: of the machine, and of the control group of a job."""

from pathlib import Path


def free_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that may still be taken, or None where the system does not tell.

    Parameters
    ----------
    root
        Folder that holds ``proc`` and ``sys``.

    >>> free = free_bytes()
    >>> free is None or free > 0
    True
    """
    sources = [_of_machine(root), *_of_groups(root)]
    known = [free for free in sources if free is not None]
    return min(known, default=None)


def _of_machine(root: Path) -> int | None:
    for line in _lines(root / "proc" / "meminfo"):
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return 1024 * int(amount.split()[0])
    return None


def _of_groups(root: Path) -> list[int | None]:
    """Free bytes of each group with a limit that holds this process, the inner ones first."""
    found = []
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )
        else:
            continue
        inner = top / path.lstrip("/")
        groups = [inner, *inner.parents]
        found += [_of_group(group, *names) for group in groups[: groups.index(top) + 1]]
    return found


def _of_group(group: Path, limit: str, usage: str, reclaimable: str) -> int | None:
    most, taken = _lines(group / limit), _lines(group / usage)
    if not most or not taken or not most[0].isdecimal():  # "max": no limit
        return None
    # Pages of files that nobody used lately count as taken, but are given up on demand.
    cached = [
        int(line.split()[1])
        for line in _lines(group / "memory.stat")
        if line.split()[0] == reclaimable
    ]
    return int(most[0]) - int(taken[0]) + sum(cached)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
