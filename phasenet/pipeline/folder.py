"""Where the files of a run lie."""

from dataclasses import dataclass
from pathlib import Path

from phasenet.storage.header import Kind


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Folder of one run of one study.

    >>> RunFolder(root=Path("runs/haldane"), name="haldane").file(Kind.TABLE).as_posix()
    'runs/haldane/haldane.table.h5'
    """

    root: Path
    name: str

    @property
    def states(self) -> Path:
        """Folder of the ground states."""
        return self.root / "states"

    def file(self, kind: Kind) -> Path:
        """Path of the file of one kind."""
        return self.root / f"{self.name}.{kind}.h5"
