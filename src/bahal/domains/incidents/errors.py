"""What incidents refuse."""

from bahal.shared.errors import Refusal


class PlaceUnknown(Refusal):
    """There is no such transformer or feeder."""

    code = "incident_place_unknown"
    hi = "{scope} {place} नहीं है।"
    en = "There is no {scope} {place}."


class PlannedEmpty(Refusal):
    """Work that ends before it begins."""

    code = "planned_empty"
    hi = "काम का समय {from_at} से {to_at} तक नहीं हो सकता।"
    en = "Work cannot last from {from_at} to {to_at}."


class PlannedTaken(Refusal):
    """It was announced before."""

    code = "planned_taken"
    hi = "{scope} {place} पर {from_at} से काम पहले ही घोषित है।"
    en = "Work on {scope} {place} from {from_at} was announced already."


class CauseMissing(Refusal):
    """An announcement without a reason."""

    code = "planned_reason_missing"
    hi = "काम का कारण लिखें।"
    en = "State what the work is for."
