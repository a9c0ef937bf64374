"""Networks of a training that goes on: one small file for each, until the classifier is written."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from phasenet.errors import FileKindError, MissingInputError
from phasenet.storage.container import Content, read_content, readable, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import member_arrays, member_of
from phasenet.trained import Member


@dataclass(frozen=True)
class NetworkParts:
    """Folder of the networks of one training; whatever is no whole network there is missing.

    Parameters
    ----------
    path
        The folder; it need not exist.
    """

    path: Path

    @classmethod
    def beside(cls, out: Path) -> "NetworkParts":
        """Folder beside the file of the classifier.

        >>> NetworkParts.beside(Path("runs/a.network.h5")).path.as_posix()
        'runs/a.network.h5.parts'
        """
        return cls(out.with_name(f"{out.name}.parts"))

    def read(self, key: str) -> Member | None:
        """Network that was trained for a key, or None."""
        path = self._file(key)
        try:
            header, content = read_content(path, Kind.NETWORK)
            with readable(path):
                member = member_of(content, "", str(content.values["outcome"]))
        except (MissingInputError, FileKindError):
            return None
        return member if header.key == _header(key).key else None

    def write(self, key: str, member: Member) -> None:
        """Write a network atomically.

        Parameters
        ----------
        key
            File name; it should say all that decides the weights.
        member
            The network.

        Raises
        ------
        PhasenetError
            The folder cannot be written, or the disk is full.
        """
        content = Content(arrays=member_arrays(member, ""), values={"outcome": member.outcome})
        write_file(self._file(key), _header(key), content)

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, key: str) -> Path:
        return self.path / f"{key}.h5"


def _header(key: str) -> Header:
    return Header(kind=Kind.NETWORK, settings={"part": key}, seed=0, parents=(), study=None)
