"""What passkeys signed on the interlock's page comes into the drive: the interlock took it, and will verify it again.

The page belongs to another process, which writes no row of the business; this journey carries its signatures over.
"""

from datetime import datetime

from bahal.domains.supply.operations import authorise, keep_maker_signature
from bahal.domains.supply.queries import drive_locked, signatures_waiting
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def carry_signatures(*, at: datetime, business_at: datetime) -> int:
    """Carry over what was signed; how many signatures. A drive that is over by now takes none."""
    taken = 0
    for drive in signatures_waiting():
        with transaction():
            found = drive_locked(drive=drive)
            if found.state != "proposed" or business_at >= found.expires_at:
                continue
            for each in signatures_waiting(drive=drive).get(drive, ()):
                signed = {"drive": drive, "authority": each.authority, "passkey": each.credential}
                if each.role == "maker":
                    keep_maker_signature(found, signature=each.signature)
                    record(
                        actor=each.officer, act="supply.drive.maker_signed", subject=f"drive {drive}", data=signed,
                        at=at, business_at=business_at,
                    )  # fmt: skip
                else:
                    orders = authorise(found, checker=each.officer, signature=each.signature, at=at)
                    record(
                        actor=each.officer, act="supply.drive.signed", subject=f"drive {drive}",
                        data=signed | {"orders": orders}, at=at, business_at=business_at,
                    )  # fmt: skip
                taken += 1
    return taken
