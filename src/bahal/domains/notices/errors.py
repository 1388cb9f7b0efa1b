"""What the notices refuse."""

from bahal.shared.errors import Refusal


class NoticeMalformed(Refusal):
    """A written notice names its bills and is served after it is issued."""

    code = "notice_malformed"
    hi = "कनेक्शन {connection} की लिखित सूचना ठीक नहीं ({field})।"
    en = "The written notice to connection {connection} is malformed ({field})."


class NoticeUnknown(Refusal):
    """No such notice that waits to be served."""

    code = "notice_unknown"
    hi = "तामील की प्रतीक्षा में सूचना {notice} नहीं मिली।"
    en = "There is no notice {notice} that waits to be served."
