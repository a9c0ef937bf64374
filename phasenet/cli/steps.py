"""What every verb that makes one file does first."""

from pathlib import Path

from phasenet.card import StudyCard
from phasenet.pipeline.product import Product, card_of
from phasenet.study import load_study


def card_for(study: Path | None, file: Path) -> StudyCard:
    """Card of the study named on the command line, or else of an input file."""
    return load_study(study).card() if study else card_of(file)


def finish(product: Product, dry_run: bool) -> bool:
    """Say so if there is nothing to do, or only to tell; return whether the verb is finished."""
    if product.is_done():
        print(f"nothing to do: {product.path} is up to date")
        return True
    if dry_run:
        print(f"would make {', '.join(str(p) for p in (product.path, *product.extras))}")
    return dry_run
