"""The HDLC link of IEC 62056-46 for serial lines and for meters that speak it over TCP: bytes in, APDUs out.

:class:`HdlcClient` and :class:`HdlcServer` are framings (``bahal.dlms.framing``): an association runs over either as it
runs over the wrapper.  The caller keeps the time: when the other end stays silent it writes what ``repeat`` returns.
"""

from bahal.dlms.hdlc.frames import Address, Deframer, Frame, frame
from bahal.dlms.hdlc.parameters import DEFAULTS, Parameters
from bahal.dlms.hdlc.primary import HdlcClient
from bahal.dlms.hdlc.secondary import HdlcServer

__all__ = ["DEFAULTS", "Address", "Deframer", "Frame", "HdlcClient", "HdlcServer", "Parameters", "frame"]
