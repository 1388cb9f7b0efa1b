"""An SMS centre over HTTP: one batch is one POST, its answer one receipt for each message."""

from collections.abc import Sequence

import httpx

from bahal.gateways.sms.interface import Answer, Outgoing, SmsCentreUnreachable

TIMEOUT_S = 10.0


class HttpSmsGateway:
    """Speaks to a centre at `url`; a connection is kept open between batches."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Send a batch.

        :raises SmsCentreUnreachable: no answer, or not one of a centre.
        """
        body = [
            {"reference": each.reference, "to": each.to, "template": each.template, "text": each.text}
            for each in messages
        ]
        try:
            answered = self._client.post("/messages", json=body)
            answered.raise_for_status()
            return [Answer(each["reference"], each.get("receipt"), each.get("error")) for each in answered.json()]
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as failure:
            raise SmsCentreUnreachable(url=self._url, why=type(failure).__name__) from failure

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
