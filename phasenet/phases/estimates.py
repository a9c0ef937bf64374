"""Numbers with the error and the method that belong to them."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Value, its error, and where both come from.

    Parameters
    ----------
    value
        NaN where there is none; then the method says why.
    error
        One standard error, or the spread of the estimates behind it; 0 for what is contracted
        exactly, NaN where it is unknown.
    method
        Such as ``exact`` or ``plateau of 20 .. 40 sites``.

    >>> print(Estimate(value=0.37432, error=0.00012, method="plateau of 20 .. 40 sites"))
    0.37432(12), plateau of 20 .. 40 sites
    """

    value: float
    error: float
    method: str

    def __str__(self) -> str:
        return f"{shown(self.value, self.error)}, {self.method}"


def shown(value: float, error: float) -> str:
    """Value with its error in units of the last digits, as physicists write it.

    >>> shown(0.37432, 0.00012), shown(-1.25, 0.0), shown(12.3, 4.0), shown(1234.5, 120.0)
    ('0.37432(12)', '-1.25', '12.3(4.0)', '1230(120)')
    """
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else str(value)
    if not (math.isfinite(error) and error > 0.0):
        return f"{value + 0.0:.8g}"
    digits = 1 - math.floor(math.log10(error))
    if digits <= 0:
        return f"{round(value, digits):.0f}({round(error, digits):.0f})"
    scaled = round(error * 10**digits)
    if error < 1.0 and scaled < 100:
        return f"{value + 0.0:.{digits}f}({scaled})"
    return f"{value + 0.0:.{digits}f}({error:.{digits}f})"
