"""WhatsApp's business platform over HTTP, by the interface of an SMS centre: one message is one POST.

Meta's Cloud API, `POST /VERSION/PHONE_NUMBER_ID/messages`: the text is a template registered there, named with its
language and its variables in order; the reference travels as `biz_opaque_callback_data` and comes back with a status.
The platform knows no idempotency: a message whose answer was lost is sent once more, which harms nobody.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from bahal.gateways.sms.interface import Answer, Outgoing, SmsCentreUnreachable

VERSION = "v21.0"
TIMEOUT_S = 10.0
AT_ONCE = 8
"""So many messages are under way at once."""


def body_of(message: Outgoing) -> dict[str, object]:
    """The request for a message."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to,
        "type": "template",
        "template": {
            "name": message.template,
            "language": {"code": message.language},
            "components": [
                {"type": "body", "parameters": [{"type": "text", "text": each} for each in message.variables]}
            ],
        },
        "biz_opaque_callback_data": message.reference,
    }


class HttpWhatsAppGateway:
    """Speaks to the platform at `url` as the sender `phone_number_id`; connections are kept open between batches."""

    def __init__(self, url: str, *, phone_number_id: str, token: str) -> None:
        self._url = url
        self._path = f"/{VERSION}/{phone_number_id}/messages"
        self._client = httpx.Client(
            base_url=url, timeout=TIMEOUT_S, trust_env=False, headers={"Authorization": f"Bearer {token}"}
        )

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Send a batch. Of a message that nothing is known of there is no answer: it is to be given again.

        :raises SmsCentreUnreachable: nothing is known of any of them.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(self._one, messages))
        answers = [each for each in found if isinstance(each, Answer)]
        if messages and not answers:
            raise SmsCentreUnreachable(url=self._url, why=next(each for each in found if isinstance(each, str)))
        return answers

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _one(self, message: Outgoing) -> Answer | str:
        """The answer to a message, or why there is none."""
        try:
            answered = self._client.post(self._path, json=body_of(message))
            told = answered.json()
            if answered.is_success:
                return Answer(message.reference, str(told["messages"][0]["id"]))
            if answered.status_code == httpx.codes.TOO_MANY_REQUESTS or answered.is_server_error:
                return f"HTTP {answered.status_code}"
            if answered.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                return f"HTTP {answered.status_code}"  # our key is wrong, not the message
            return Answer(message.reference, None, str(told["error"]["code"]))
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as failure:
            return type(failure).__name__
