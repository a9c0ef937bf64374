"""Attribute inference on classifiers of files: a secret that they share with their data."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.findings import Report
from phasenet.pipeline.attack import ATTACK, headline, made_report
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.reports import report_files
from phasenet.seeds import stream
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from phasenet.trains.train import Array, IntArray

if TYPE_CHECKING:
    from phasenet.privacy.attackers import Attacker
    from phasenet.privacy.attribute_report import Secret

_PROBES = 400
_COLUMNS = 3


@dataclass(frozen=True, kw_only=True)
class SecretTable:
    """What a CSV says of networks: file, secret and data subset of each.

    Parameters
    ----------
    name
        Of the secret: the head of its column.
    files, secrets, groups
        One entry for each network; files are names without folders.

    >>> table = SecretTable(name="p", files=("a.h5",), secrets=("low",), groups=("0",))
    >>> table.rows_of([Path("runs/a.h5")])
    [0]
    """

    name: str
    files: tuple[str, ...]
    secrets: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "SecretTable":
        """Table of a CSV with a head and the columns file, secret, group in this order.

        Raises
        ------
        MissingInputError, FileKindError
        """
        if not path.is_file():
            raise MissingInputError(f"no file {path}")
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise FileKindError(f"{path} is no CSV ({error}); wanted file,secret,group") from error
        odd = [row for row in rows if len(row) != _COLUMNS or not all(row)]
        if len(rows) < 2 or odd:
            got = f"the row {','.join(odd[0])!r}" if odd else f"{len(rows)} rows"
            raise FileKindError(
                f"{path} has {got}; wanted a head and then file,secret,group of each network"
            )
        files, secrets, groups = zip(*rows[1:], strict=True)
        names = tuple(Path(name).name for name in files)
        if len(set(names)) < len(names):
            raise FileKindError(f"{path} names a file twice; wanted one row for each network")
        return cls(name=rows[0][1], files=names, secrets=secrets, groups=groups)

    def rows_of(self, networks: Sequence[Path]) -> list[int]:
        """Row of each network; raises SettingsError where one has none."""
        places = {name: k for k, name in enumerate(self.files)}
        missing = [path.name for path in networks if path.name not in places]
        if missing:
            raise SettingsError(
                f"{missing[0]} is no file of the table of secrets, which names "
                f"{len(self.files)} others; add its row"
            )
        return [places[path.name] for path in networks]


@dataclass(frozen=True, kw_only=True)
class SecretPlan:
    """Which classifiers are attacked, and for what.

    Parameters
    ----------
    networks
        Files of the classifiers.
    table
        CSV of their secrets.
    samples
        Dataset that the black-box attacker asks of; None: white-box only.
    attackers
        Who guesses.
    folds
        Parts of the networks that are held out in turn.
    seed
        Of all random choices.
    """

    networks: tuple[Path, ...]
    table: Path
    samples: Path | None
    attackers: "tuple[Attacker, ...]"
    folds: int
    seed: int

    def product(self, out: Path) -> Product:
        """Report, page and JSON that the plan leads to."""
        table = SecretTable.read(self.table)
        table.rows_of(self.networks)
        settings: dict[str, Any] = {
            "attribute": {
                "secrets": hashlib.sha256(self.table.read_bytes()).hexdigest()[:16],
                "files": [path.name for path in self.networks],
                "attackers": list(self.attackers),
                "folds": self.folds,
            }
        }
        header = Header(
            kind=Kind.REPORT,
            settings={ATTACK: settings},
            seed=self.seed,
            parents=parents_of([*self.networks, *filter(None, [self.samples])]),
            study=None,
        )
        return Product(path=out, header=header, extras=report_files(out))


def attack_secret(plan: SecretPlan, product: Product, *, reporter: Reporter) -> Report:
    """Attack classifiers in all views that there are of them, and write the report.

    Parameters
    ----------
    plan
        What is attacked.
    product
        From :meth:`SecretPlan.product`.
    reporter
        Hears of each attack.

    Raises
    ------
    SettingsError
        There is nothing to guess, or a class of the secret is in one group only.
    FileKindError
        The networks are of different kinds.
    """

    def compute() -> Report:
        from phasenet.privacy.attribute_report import attribute_section
        from phasenet.privacy.network_views import views_of  # loads torch

        secret = _secret(plan)
        records = [read_network(path)[1] for path in plan.networks]
        views, left_out = views_of(records, _probes(plan))
        with stage(reporter, "attacks", len(views) * len(plan.attackers)):
            section = attribute_section(
                views,
                secret,
                attackers=plan.attackers,
                folds=plan.folds,
                seed=plan.seed,
                left_out=left_out,
                progress=reporter.advance,
            )
        title = f"Attack on {len(plan.networks)} networks"
        return Report(title=title, verdict=headline(section), sections=(section,))

    return made_report(product, compute)


def _secret(plan: SecretPlan) -> "Secret":
    from phasenet.privacy.attribute_report import Secret

    table = SecretTable.read(plan.table)
    rows = table.rows_of(plan.networks)
    classes, of_model = np.unique([table.secrets[k] for k in rows], return_inverse=True)
    groups = np.unique([table.groups[k] for k in rows], return_inverse=True)[1]
    return Secret(
        name=table.name,
        classes=tuple(str(name) for name in classes),
        of_model=of_model,
        groups=groups,
    )


def _probes(plan: SecretPlan) -> tuple[Array, IntArray] | None:
    """Questions: shots of the test split, with their labels."""
    if plan.samples is None:
        return None
    from phasenet.networks.readings import readings_of
    from phasenet.networks.scoring import labelled

    _, data = read_snapshots(plan.samples)
    chosen = labelled(data, "test")
    if len(chosen) == 0:
        raise SettingsError(f"{plan.samples} has no labelled test shots to ask the networks")
    chosen = np.sort(stream(plan.seed, "attack", "probes").permutation(chosen)[:_PROBES])
    return readings_of(data).of(data, chosen), data.label_index[chosen]
