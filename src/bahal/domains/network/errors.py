"""What the network refuses."""

from bahal.shared.errors import Refusal


class InputPlaceUnknown(Refusal):
    """There is no such transformer or feeder."""

    code = "input_place_unknown"
    hi = "{scope} {place} नहीं है।"
    en = "There is no {scope} {place}."


class InputMeterTaken(Refusal):
    """A meter measures one thing at a time."""

    code = "input_meter_taken"
    hi = "मीटर {meter} पहले से किसी और को मापता है।"
    en = "Meter {meter} measures something else already."
