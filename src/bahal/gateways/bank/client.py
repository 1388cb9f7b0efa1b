"""A bank over HTTP."""

import httpx

from bahal.gateways.bank.interface import BankUnreachable

TIMEOUT_S = 10.0


class HttpBank:
    """Speaks to a bank at `url`; a connection is kept open between payments."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def collect(self, *, consumer: int, paise: int, channel: str) -> str:
        """Take money from a consumer; the bank's number of the payment.

        :raises BankUnreachable: no answer, or not one of a bank.
        """
        try:
            answered = self._client.post("/collect", json={"consumer": consumer, "paise": paise, "channel": channel})
            answered.raise_for_status()
            return str(answered.json()["payment"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as failure:
            raise BankUnreachable(url=self._url, why=type(failure).__name__) from failure

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
