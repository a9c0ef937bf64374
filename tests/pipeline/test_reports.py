"""Reports made section by section: kept when the work is stopped, drawn as one page."""

import json
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.findings import FindingTable, Section
from phasenet.pipeline.product import Product
from phasenet.pipeline.report_lines import report_lines, verdict_lines
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.reports import Part, make_report, report_files
from phasenet.pipeline.show import describe
from phasenet.storage.header import Header, Kind

TABLE = FindingTable(
    title="numbers", columns=("state", "value <x>"), rows=(("D = 0", 0.25), ("D = 12", None))
)


@pytest.fixture
def product(tmp_path):
    header = Header(kind=Kind.REPORT, settings={"explain": {}}, seed=0, parents=(), study=None)
    path = tmp_path / "a.report.h5"
    return Product(path=path, header=header, extras=report_files(path))


def part(name, calls, *, error=None):
    def compute(progress):
        calls[name] += 1
        progress(1, "half")
        if error is not None:
            raise error
        return Section(
            name=name,
            title=name.title(),
            verdict=f"{name} & more",
            tables=(TABLE,),
            arrays={"values": np.arange(3.0)},
            notes=("a <note>",),
        )

    return Part(name=name, title=name.title(), compute=compute)


def made(product, parts):
    return make_report(
        product, "Title", parts, lambda s: " | ".join(x.verdict for x in s), SilentReporter()
    )


def test_sections_that_are_done_are_kept(product):
    calls = Counter()
    with pytest.raises(KeyboardInterrupt):
        made(product, [part("one", calls), part("two", calls, error=KeyboardInterrupt())])
    assert not product.path.exists() and not product.extras[0].exists()
    report = made(product, [part("one", calls), part("two", calls)])
    assert calls == {"one": 1, "two": 2}
    assert report.verdict == "one & more | two & more"
    assert not list(product.path.parent.glob("*.parts"))
    again = made(product, [part("one", calls), part("two", calls)])
    assert calls == {"one": 1, "two": 2} and again.verdict == report.verdict


def test_what_cannot_be_shown_says_why(product):
    calls = Counter()
    report = made(product, [part("one", calls, error=SettingsError("no layer here"))])
    assert report.section("one").verdict == "not shown: no layer here"


def test_the_page_is_whole_and_holds_all(product):
    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.text, self.links = [], "", []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                self.open.append(tag)
            self.links += [value for name, value in attrs if name in ("src", "href")]

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_data(self, data):
            self.text += data

    made(product, [part("one", Counter())])
    reader = Reader()
    reader.feed(product.extras[0].read_text(encoding="utf-8"))
    assert reader.open == []
    for words in ("Title", "one & more", "value <x>", "0.25", "a <note>", "seed 0"):
        assert words in reader.text
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in reader.links)
    assert json.loads(product.extras[1].read_text())["sections"][0]["arrays"]["values"] == [0, 1, 2]


def test_on_a_terminal(product):
    report = made(product, [part("one", Counter())])
    assert verdict_lines(report) == ["Title", "one & more", "", "One", "  one & more"]
    lines = report_lines(report)
    assert lines[:2] == ["Title", "one & more"]
    assert lines[-3:] == ["    state   value <x>", "    D = 0        0.25", "    D = 12"]
    assert set(lines) <= {"", *describe(product.path)}
