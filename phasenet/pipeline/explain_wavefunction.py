"""What state a neural wavefunction has learned, as a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phasenet.errors import SettingsError
from phasenet.findings import Report, Section
from phasenet.pipeline.product import Product, parents_of, state_files
from phasenet.pipeline.reporting import Reporter
from phasenet.pipeline.reports import Part, Progress, make_report, report_files
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import read_state
from phasenet.storage.wavefunctions import read_wavefunction
from phasenet.trains.form import state_form


@dataclass(frozen=True, kw_only=True)
class WavefunctionPlan:
    """A neural wavefunction and the state that it was fitted to.

    Parameters
    ----------
    wavefunction, state
        Their files.
    seed
        Of all random choices.
    """

    wavefunction: Path
    state: Path
    seed: int

    @classmethod
    def of(cls, wavefunction: Path, places: Sequence[Path], *, seed: int) -> "WavefunctionPlan":
        """Plan with that file among some files and folders which the wavefunction was fitted to.

        Raises
        ------
        SettingsError
            It is not there.
        MissingInputError, FileKindError
        """
        parents = [p for p in read_header(wavefunction).parents if p.kind is Kind.STATE]
        ids = {parent.id for parent in parents}
        for path in state_files(places):
            if read_header(path).id in ids:
                return cls(wavefunction=wavefunction, state=path, seed=seed)
        names = ", ".join(parent.name for parent in parents)
        raise SettingsError(
            f"{wavefunction} was fitted to {names}, which is not among "
            f"{', '.join(map(str, places))}; name it with --states"
        )

    def product(self, out: Path) -> Product:
        """Report, page and JSON that the plan leads to."""
        header = Header(
            kind=Kind.REPORT,
            settings={"explain": {}},
            seed=self.seed,
            parents=parents_of([self.wavefunction, self.state]),
            study=read_header(self.state).study,
        )
        return Product(path=out, header=header, extras=report_files(out))


def explain_wavefunction(plan: WavefunctionPlan, product: Product, *, reporter: Reporter) -> Report:
    """Compare the state of a network with the one that it was fitted to.

    Parameters
    ----------
    plan
        The two.
    product
        From :meth:`WavefunctionPlan.product`.
    reporter
        Hears of each train.
    """
    from phasenet.insight.network_state import state_section  # loads torch

    def compute(progress: Progress) -> Section:
        header, found = read_wavefunction(plan.wavefunction)
        return state_section(
            found,
            plan.wavefunction.name,
            state_form(read_state(plan.state)[1].train),
            header.study,
            seed=plan.seed,
            progress=progress,
        )

    part = Part(name="state", title="the network as a state", compute=compute)
    return make_report(
        product,
        f"What state {plan.wavefunction.name} is",
        (part,),
        lambda sections: sections[0].verdict,
        reporter,
    )
