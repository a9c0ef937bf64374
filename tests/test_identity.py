"""Canonical numbers, texts and digests."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.identity import canonical_json, canonical_number, digest

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(finite)
def test_canonical_numbers_are_close_and_final(value):
    number = canonical_number(value)
    assert number == pytest.approx(value, rel=1e-11)
    assert canonical_number(number) == number
    assert not (number == 0 and math.copysign(1, number) < 0)


@given(finite)
def test_rounding_noise_of_sums_vanishes(value):
    assert canonical_number(value * (1 + 2e-16)) == pytest.approx(
        canonical_number(value), rel=1e-11
    )
    assert canonical_number(-0.0) == 0.0
    assert math.copysign(1, canonical_number(-0.0)) == 1
    assert canonical_number(0.1 + 0.2) == 0.3
    assert canonical_number(-1.234567890123456) == -1.23456789012  # twelve digits
    assert canonical_number(9.876543210987654e-20) == 9.87654321099e-20
    assert canonical_number(1) == 1.0
    assert isinstance(canonical_number(1), float)


@given(plain)
def test_canonical_text_is_json_that_reads_back_the_same(value):
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), finite, min_size=2, max_size=5))
def test_order_of_keys_does_not_matter(mapping):
    backwards = dict(reversed(mapping.items()))
    assert canonical_json(backwards) == canonical_json(mapping)
    assert digest(backwards) == digest(mapping)


def test_digests_are_pinned():
    # printf '{"D":0.3,"name":null,"sites":[1,2]}' | sha256sum | cut -c 1-16
    assert digest({"sites": (1, 2), "name": None, "D": 0.1 + 0.2}) == "9a1791020c4dca5f"
    assert digest([1]) != digest([1.0 + 1e-9])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_have_no_text(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"D": value})
