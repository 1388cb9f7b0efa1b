"""DLMS/COSEM for Indian smart meters, bytes in and events out: no socket, no clock, no threads.

Client and server share one codec, one transition table and one object model.  Facts come from the public standards (IEC
62056 and the DLMS UA Green and Blue Books, IS 15959).  No capture of an Indian meter was found anywhere: conformance is
shown against the Green Book's vectors and independent peers only.

What a user needs is named here, and each name is loaded when it is first asked for (`docs/dlms.md`)::

    from bahal import dlms

    client = dlms.ClientAssociation(client_sap=16, mechanism=0, security_control=0)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bahal.dlms import axdr, clock, errors, push
    from bahal.dlms.apdu import Acted, Target, by_entry, by_range
    from bahal.dlms.association.client import ClientAssociation
    from bahal.dlms.association.events import (
        ActionDone,
        ActionListDone,
        Event,
        Got,
        GotList,
        Notification,
        Opened,
        Refused,
        Released,
        SetDone,
        SetListDone,
    )
    from bahal.dlms.association.server import ServerAssociation
    from bahal.dlms.columns import Columns, ProfileDecoder, captures_of, compile_profile
    from bahal.dlms.errors import DlmsError, LocalError, RemoteError
    from bahal.dlms.hdlc import Address, HdlcClient, HdlcServer, Parameters
    from bahal.dlms.india import IST
    from bahal.dlms.objects import image, security_setup
    from bahal.dlms.objects.image import ImageTransfer
    from bahal.dlms.objects.model import ObjectModel, load_model, obis, obis_text
    from bahal.dlms.objects.parts import ActivityCalendar, Arbitrator, KeyTransfer, Part, Schedule, ScriptTable
    from bahal.dlms.objects.payment import Account, Charge, Credit, TokenGateway
    from bahal.dlms.objects.security_setup import KeyId
    from bahal.dlms.objects.serving import Answers, Device, Keys, Origin
    from bahal.dlms.objects.stored import StoredMeter
    from bahal.dlms.quirks import Quirks, quirks_of
    from bahal.dlms.security import Cipher
    from bahal.dlms.wrapper import Deframer, frame

_WHERE: Final = {
    "Account": "objects.payment",
    "Acted": "apdu",
    "ActionDone": "association.events",
    "ActionListDone": "association.events",
    "ActivityCalendar": "objects.parts",
    "Address": "hdlc",
    "Answers": "objects.serving",
    "Arbitrator": "objects.parts",
    "Charge": "objects.payment",
    "Cipher": "security",
    "ClientAssociation": "association.client",
    "Columns": "columns",
    "Credit": "objects.payment",
    "Deframer": "wrapper",
    "Device": "objects.serving",
    "DlmsError": "errors",
    "Event": "association.events",
    "Got": "association.events",
    "GotList": "association.events",
    "HdlcClient": "hdlc",
    "HdlcServer": "hdlc",
    "IST": "india",
    "ImageTransfer": "objects.image",
    "KeyId": "objects.security_setup",
    "KeyTransfer": "objects.parts",
    "Keys": "objects.serving",
    "LocalError": "errors",
    "Notification": "association.events",
    "ObjectModel": "objects.model",
    "Opened": "association.events",
    "Origin": "objects.serving",
    "Parameters": "hdlc",
    "Part": "objects.parts",
    "ProfileDecoder": "columns",
    "Quirks": "quirks",
    "Refused": "association.events",
    "Released": "association.events",
    "RemoteError": "errors",
    "Schedule": "objects.parts",
    "ScriptTable": "objects.parts",
    "ServerAssociation": "association.server",
    "SetDone": "association.events",
    "SetListDone": "association.events",
    "StoredMeter": "objects.stored",
    "Target": "apdu",
    "TokenGateway": "objects.payment",
    "by_entry": "apdu",
    "by_range": "apdu",
    "captures_of": "columns",
    "compile_profile": "columns",
    "frame": "wrapper",
    "load_model": "objects.model",
    "obis": "objects.model",
    "obis_text": "objects.model",
    "quirks_of": "quirks",
}
_MODULES: Final = {
    "axdr": "axdr",
    "clock": "clock",
    "errors": "errors",
    "image": "objects.image",
    "push": "push",
    "security_setup": "objects.security_setup",
}

__all__ = [
    "IST",
    "Account",
    "Acted",
    "ActionDone",
    "ActionListDone",
    "ActivityCalendar",
    "Address",
    "Answers",
    "Arbitrator",
    "Charge",
    "Cipher",
    "ClientAssociation",
    "Columns",
    "Credit",
    "Deframer",
    "Device",
    "DlmsError",
    "Event",
    "Got",
    "GotList",
    "HdlcClient",
    "HdlcServer",
    "ImageTransfer",
    "KeyId",
    "KeyTransfer",
    "Keys",
    "LocalError",
    "Notification",
    "ObjectModel",
    "Opened",
    "Origin",
    "Parameters",
    "Part",
    "ProfileDecoder",
    "Quirks",
    "Refused",
    "Released",
    "RemoteError",
    "Schedule",
    "ScriptTable",
    "ServerAssociation",
    "SetDone",
    "SetListDone",
    "StoredMeter",
    "Target",
    "TokenGateway",
    "axdr",
    "by_entry",
    "by_range",
    "captures_of",
    "clock",
    "compile_profile",
    "errors",
    "frame",
    "image",
    "load_model",
    "obis",
    "obis_text",
    "push",
    "quirks_of",
    "security_setup",
]


def __getattr__(name: str) -> Any:
    """A public name, or a module of this package, loaded now."""
    where = _WHERE.get(name)
    if where is not None:
        found = getattr(import_module(f"bahal.dlms.{where}"), name)
    elif name in _MODULES:
        found = import_module(f"bahal.dlms.{_MODULES[name]}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found
