"""Card of an exported dataset: the README.md of Hugging Face, with its YAML front matter."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phasenet.pipeline.dataset_facts import DatasetFacts
from phasenet.pipeline.dataset_lines import snapshot_lines
from phasenet.pipeline.export_snapshots import NOTES
from phasenet.storage.header import Header

Feature = Mapping[str, Any]

SHOTS, POINTS = "shots", "points"
"""Names of the two tables."""
_TAGS = ("physics", "quantum-many-body", "phase-classification", "matrix-product-states")
_COLUMNS = {
    "spins": "local state of each site: 0 is the highest weight, {site_dim} a lost site",
    "label": "class, -1 where undetermined",
    "point": "row of its point in the table `points`",
    "couplings": "of its point; NaN where a chain has no such coupling",
    "source": "chain, an index among `sources` in {notes}",
    "control": "what was done to the shot, empty for shots as they were measured",
    "log_probability": "ln p of the shot in its own state, before noise; NaN: not computed",
    "class_log_likelihood": "ln p(shot given the class), one number a class; NaN: not computed",
    "basis_index": "basis of each site, an index among {basis_names}",
    "phase": "of the amplitude of the shot, in radians",
    "in_training": "whether it is a configuration of the training set too",
}


def dataset_card(
    facts: DatasetFacts,
    sizes: Mapping[str, int],
    columns: Mapping[str, Sequence[Feature]],
) -> str:
    """Text of the card.

    Parameters
    ----------
    facts
        Of the dataset.
    sizes
        Number of shots of each split that there is.
    columns
        Features of the tables SHOTS and POINTS, as the front matter has them.
    """
    head = facts.head
    titles = dict.fromkeys(source.title or source.study for source in head.sources)
    sheet = head.datasheet
    title = sheet.title or f"Snapshots of {' and '.join(titles)}"
    lines = ["---", *_front_matter(title, sheet.licence, sizes, columns), "---", f"# {title}", ""]
    lines += [sheet.description, ""] if sheet.description else []
    lines += [
        f"{source.title or source.study} ({source.sites} sites, {source.boundary}): "
        f"$${source.hamiltonian}$$\n"
        for source in head.sources
    ]
    lines += ["```text", *snapshot_lines(facts), "```", "", "## Columns", ""]
    words = {
        "site_dim": head.site_dim,
        "basis_names": ", ".join(head.basis_names),
        "notes": f"`{NOTES}`",
    }
    lines += [
        f"- `{column['name']}`: {_COLUMNS[column['name']].format(**words)}"
        for column in columns[SHOTS]
    ]
    lines += ["", "The table `points` has one row for each point. To read both:", ""]
    lines += ["```python", "from datasets import load_dataset", ""]
    lines += [f'{name} = load_dataset("FOLDER", "{name}")' for name in (SHOTS, POINTS)]
    lines += ["```", ""]
    if sheet.traps:
        lines += ["## Known traps", "", *(f"- {trap}" for trap in sheet.traps), ""]
    lines += ["## Origin", "", *_origin(facts.header)]
    return "\n".join(lines) + "\n"


def size_category(shots: int) -> str:
    """Size as Hugging Face words it.

    >>> size_category(999), size_category(20_000), size_category(3_000_000)
    ('n<1K', '10K<n<100K', '1M<n<10M')
    """
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
    above = sum(shots >= 1000 * 10**k for k in range(len(names)))
    if above == 0:
        return "n<1K"
    return f"n>{names[-1]}" if above == len(names) else f"{names[above - 1]}<n<{names[above]}"


def _front_matter(
    title: str,
    licence: str,
    sizes: Mapping[str, int],
    columns: Mapping[str, Sequence[Feature]],
) -> Iterator[str]:
    """Lines of YAML; what is nested is written as JSON, which is YAML too."""
    if licence:
        yield f"license: {json.dumps(licence.lower())}"
    yield f"pretty_name: {json.dumps(title, ensure_ascii=False)}"
    yield f"tags: {json.dumps(_TAGS)}"
    yield f"size_categories: {json.dumps([size_category(sum(sizes.values()))])}"
    yield "configs:"
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in sizes]
    yield f"- {json.dumps({'config_name': SHOTS, 'default': True, 'data_files': files})}"
    yield f"- {json.dumps({'config_name': POINTS, 'data_files': 'points.parquet'})}"
    yield "dataset_info:"
    for name, features in columns.items():
        values = {"config_name": name, "features": list(features)}
        yield f"- {json.dumps(values, ensure_ascii=False)}"


def _origin(header: Header) -> Iterator[str]:
    yield f"Made by phasenet {header.version} on {header.created[:10]}, id `{header.id}`, from"
    yield f"{len(header.parents)} ground states with the seed {header.seed}. All settings, and what"
    yield f"the targets and features mean, are in `{NOTES}`."
