"""What a warning says to the officer who shall look, in Hindi and English, from its stored figures alone."""

from bahal.domains.protection.queries import Warned
from bahal.shared.text import Language


def sentence(warning: Warned, language: Language) -> str:
    """Why there is a warning: what is missing against its own past and its neighbourhood, and what is at stake."""
    missing = round(warning.missing_permille / 10)
    kwh = warning.at_stake_wh / 1_000
    usual = warning.usual_wh / 1_000
    sigmas = abs(warning.sigmas_hundredths) / 100
    if language == "hi":
        return (
            f"सप्ताह भर औसतन {usual:.1f} यूनिट रोज़ के स्थान पर {missing} % कम: मौसम और पड़ोस का असर घटाकर, अपनी सामान्य"
            f" घट-बढ़ से {sigmas:.1f} गुना। {kwh:.1f} यूनिट रोज़ दाँव पर। यह आरोप नहीं, देखने का कारण है।"
        )
    return (
        f"{missing} % below the {usual:.1f} kWh a day that were to be expected, what season and neighbourhood did taken"
        f" off: {sigmas:.1f} times its usual ups and downs. {kwh:.1f} kWh a day are at stake. A reason to look, and no"
        " accusation."
    )
