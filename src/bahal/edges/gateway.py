"""The payment gateway as the edges reach it: its address from the environment, its keys from the instance's secrets.

`BAHAL_BANK_URL` is where it is. `secrets/bank.json` holds `key_id` and `key_secret` of its interface, the other secret
`webhook_secret` of its webhooks, and the company's UPI address `vpa` with the name `payee`.
"""

import functools
import os

from bahal.gateways.bank.gateway import HttpGateway
from bahal.gateways.bank.interface import Gateway
from bahal.journeys.pay_online import Payee
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home


class GatewayNotSet(Refusal):
    """No gateway is set up for this instance."""

    code = "gateway_not_set"
    exit_code = ENVIRONMENT
    hi = "ऑनलाइन भुगतान अभी उपलब्ध नहीं है: काउंटर पर या बाद में भुगतान करें।"
    en = "Online payment is not available now: pay at a counter, or later."


@functools.cache
def gateway() -> Gateway:
    """The gateway of this instance.

    :raises GatewayNotSet: none is set up.
    """
    url = os.environ.get("BAHAL_BANK_URL")
    secret = Home.of().secret("bank") or {}
    if not url or "key_id" not in secret:
        raise GatewayNotSet()
    return HttpGateway(url, key_id=secret["key_id"], key_secret=secret["key_secret"])


def payee() -> Payee:
    """Who is paid by UPI.

    :raises GatewayNotSet: no address is set up.
    """
    secret = Home.of().secret("bank") or {}
    if "vpa" not in secret:
        raise GatewayNotSet()
    return Payee(secret["vpa"], secret.get("payee", "Bahal"))
