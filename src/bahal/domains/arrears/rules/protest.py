"""Deposit under protest, Electricity Act 2003 s.56(1) proviso: whoever deposits the lesser of two sums is not cut."""

from dataclasses import dataclass

from bahal.shared.money import divided

PRECEDING_MONTHS = 6


@dataclass(frozen=True, slots=True)
class Stay:
    """What must be deposited, and both sums of which it is the lesser."""

    claim_paise: int
    by_average_paise: int
    months: int
    average_paise: int

    @property
    def paise(self) -> int:
        """The lesser."""
        return min(self.claim_paise, self.by_average_paise)


def stay(*, claim_paise: int, months: int, paid_paise: int) -> Stay:
    """The deposit that stays a cut. `months` are those that the claim is for, `paid_paise` what the consumer paid for
    electricity during the six months before it.

    :raises ValueError: a negative sum, or a claim for no month.
    """
    if claim_paise < 0 or paid_paise < 0 or months < 1:
        raise ValueError(f"claim {claim_paise}, months {months}, paid {paid_paise}")
    average = divided(paid_paise, PRECEDING_MONTHS)
    return Stay(claim_paise, months * average, months, average)
