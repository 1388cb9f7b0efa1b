"""What the readings refuse."""

from bahal.shared.errors import Refusal


class RegisterMalformed(Refusal):
    """A register is named by six numbers of OBIS."""

    code = "register_malformed"
    hi = "`{register}` रजिस्टर का OBIS नाम नहीं है (जैसे 1.0.1.8.0.255)।"
    en = "`{register}` is not the OBIS name of a register (such as 1.0.1.8.0.255)."
