"""What was promised of the delivery clock: the product's own targets, or what two officers put in their place."""

from datetime import date

from bahal.domains.protection.queries import document_in_force
from bahal.domains.protection.rulebook import read_numbers
from bahal.domains.readings.work import Targets


def targets_in_force(on: date) -> Targets:
    """The targets of a day.

    :raises RulesWrong: the product cannot read the rules in force any more.
    """
    text = document_in_force(name="delivery", on=on)
    return Targets() if text is None else read_numbers(Targets, text, name="delivery")
