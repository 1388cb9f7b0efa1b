"""Profile buffers straight to typed columns: numbers as numpy arrays, clocks as UTC seconds, no object per value.

``compile_profile`` makes a decoder from a profile's capture objects (class 7 attribute 3) and its types, which the
object model knows or a first buffer teaches (``learn``).  ``ProfileDecoder.decode`` takes one buffer,
``ProfileDecoder.decode_batch`` the buffers of many meters of one make at once.  What does not have the compiled layout
goes through the generic decoder of ``axdr``: the answer is the same, only slower.  ``Decoders`` keeps decoders by make,
firmware and capture list.
"""

from bahal.dlms.captures import Capture, captures_of
from bahal.dlms.columns.decoder import Batch, Columns, Decoders, ProfileDecoder, compile_profile
from bahal.dlms.columns.gathered import ColumnDisagrees, MomentMissing
from bahal.dlms.columns.layout import learn, types_of
from bahal.dlms.columns.moments import Moments, MomentUnspecified

__all__ = [
    "Batch",
    "Capture",
    "ColumnDisagrees",
    "Columns",
    "Decoders",
    "MomentMissing",
    "MomentUnspecified",
    "Moments",
    "ProfileDecoder",
    "captures_of",
    "compile_profile",
    "learn",
    "types_of",
]
