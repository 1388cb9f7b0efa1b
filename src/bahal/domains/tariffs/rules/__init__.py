"""The registry: a new way to charge is a new file here and one name in `_FILES`; nothing else changes."""

from collections.abc import Mapping

from bahal.domains.tariffs.rules import demand, minimum, netting, payment, per_load, percent, relief, slabs
from bahal.domains.tariffs.rules.contract import Closing, Rule

_FILES = (slabs, minimum, per_load, demand, percent, relief, netting, payment)

RULES: Mapping[str, Rule | Closing] = {rule.name: rule for file in _FILES for rule in file.RULES}
"""Every rule by the word that a tariff file names it by."""
