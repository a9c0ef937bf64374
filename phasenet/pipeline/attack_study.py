"""Populations of networks that are trained and attacked here, to reproduce what is published."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from phasenet.findings import Report
from phasenet.pipeline.attack import ATTACK, made_report
from phasenet.pipeline.product import Product
from phasenet.pipeline.reporting import Reporter
from phasenet.pipeline.reports import report_files
from phasenet.storage.header import Header, Kind


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """Which population is made.

    Parameters
    ----------
    name
        ``groups``, ``digits`` or ``physics``.
    models
        Networks of each level of imbalance, both sides together.
    seed
        Of all random choices.
    """

    name: str
    models: int
    seed: int

    def product(self, out: Path) -> Product:
        """Report, page and JSON that the plan leads to."""
        header = Header(
            kind=Kind.REPORT,
            settings={ATTACK: {"reproduce": self.name, "models": self.models}},
            seed=self.seed,
            parents=(),
            study=None,
        )
        return Product(path=out, header=header, extras=report_files(out))


def attack_study(plan: StudyPlan, product: Product, *, reporter: Reporter) -> Report:
    """Train the population, attack it, and write the report.

    What is done when the work is stopped is kept, and not done again.

    Parameters
    ----------
    plan
        Which population.
    product
        From :meth:`StudyPlan.product`.
    reporter
        Hears of the progress.
    """
    parts = product.path.with_name(f"{product.path.name}.parts")

    def compute() -> Report:
        from phasenet.pipeline.privacy_study import run_study  # loads torch

        return run_study(
            plan.name, models=plan.models, seed=plan.seed, reporter=reporter, parts=parts
        )

    report = made_report(product, compute)
    shutil.rmtree(parts, ignore_errors=True)
    return report
