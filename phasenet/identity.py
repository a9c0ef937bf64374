"""Canonical text and digests: two things are the same if and only if their digests agree."""

import hashlib
import json
from typing import Any


def canonical_number(value: float) -> float:
    """Float at 12 significant digits, without a negative zero.

    >>> canonical_number(-0.0), canonical_number(0.1 + 0.2)
    (0.0, 0.3)
    """
    return float(f"{float(value):.12g}") + 0.0


def canonical_json(value: Any) -> str:
    """JSON text with sorted keys, no spaces and canonical floats.

    >>> canonical_json({"b": (1, 0.1 + 0.2), "a": None})
    '{"a":null,"b":[1,0.3]}'
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the canonical JSON of a value.

    >>> digest({"D": 1.0}) == digest({"D": 1.0 + 1e-15})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return canonical_number(value) if isinstance(value, float) else value
