"""The recovery report of a drive, in the terminal and as one HTML file: listed, cut, paid, lit, still dark.

Every figure comes from the result (the JSON that `bahal demo` and `bahal report` write) and, for what each payer
waited, from `details_of`. What the result lacks is left out, never guessed.
"""

from bahal.rehearsal.recovery.details import Payer, details_of
from bahal.rehearsal.recovery.page import page, write_page
from bahal.rehearsal.recovery.terminal import show

__all__ = ["Payer", "details_of", "page", "show", "write_page"]
