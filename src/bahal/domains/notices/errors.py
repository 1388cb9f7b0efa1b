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


class WordingMissing(Refusal):
    """No text is in force for this."""

    code = "wording_missing"
    hi = "{kind}, {channel}, {language} का कोई पाठ {day} को लागू नहीं।"
    en = "No text for {kind} by {channel} in {language} is in force on {day}."


class WordingWrong(Refusal):
    """A text that cannot be sent."""

    code = "wording_wrong"
    hi = "पाठ {template} ठीक नहीं: {why}"
    en = "The text {template} is wrong: {why}"


class WordingUnknown(Refusal):
    """No such version of a text."""

    code = "wording_unknown"
    hi = "पाठ {template} का संस्करण {version} नहीं है।"
    en = "There is no version {version} of the text {template}."


class WordingAccepted(Refusal):
    """It was accepted before."""

    code = "wording_accepted"
    hi = "पाठ {template} का संस्करण {version} पहले ही {accepted_by} ने स्वीकार किया।"
    en = "Version {version} of the text {template} was accepted before, by {accepted_by}."


class WordingBySame(Refusal):
    """Whoever proposes a text does not accept it."""

    code = "wording_by_same"
    hi = "{officer} ने यह पाठ स्वयं प्रस्तावित किया: दूसरा अधिकारी स्वीकार करे।"
    en = "{officer} proposed this text himself: another officer accepts it."


class WordingBackdated(Refusal):
    """A text holds from a day to come or from today: what was sent is what was sent."""

    code = "wording_backdated"
    hi = "पाठ {template} {effective_from} से: बीते दिन से कोई पाठ लागू नहीं होता।"
    en = "The text {template} would hold from {effective_from}: no text holds from a day that is past."


class OfficerMayNotSetWording(Refusal):
    """His role sets no texts."""

    code = "officer_may_not_set_wording"
    hi = "{login} ({role}) सूचना का पाठ नहीं बदल सकते।"
    en = "{login} ({role}) may not set the texts of notices."


class LetterListUnknown(Refusal):
    """No such list of letters."""

    code = "letter_list_unknown"
    hi = "पत्र-सूची {list} नहीं है।"
    en = "There is no list of letters {list}."


class LetterListPosted(Refusal):
    """Its posting was noted before, or none of its letters is left to post."""

    code = "letter_list_posted"
    hi = "पत्र-सूची {list} की डाक पहले ही दर्ज है।"
    en = "The posting of the list of letters {list} was noted before."


class ProofMissing(Refusal):
    """Whatever is noted rests on something."""

    code = "proof_missing"
    hi = "प्रमाण नहीं दिया गया ({field})।"
    en = "No proof was given ({field})."


class LetterAnswerWrong(Refusal):
    """A line of what the post office answered does not read."""

    code = "letter_answer_wrong"
    hi = "{file}, पंक्ति {line}: {why}"
    en = "{file}, line {line}: {why}"


class NothingToHand(Refusal):
    """Nothing waits to be handed to this consumer."""

    code = "nothing_to_hand"
    hi = "उपभोक्ता {connection} को देने के लिए कोई सूचना या स्मरण नहीं है।"
    en = "No notice and no reminder waits to be handed to consumer {connection}."


class HandMalformed(Refusal):
    """A delivery by hand says who, to whom, where, when, and has a photo."""

    code = "hand_malformed"
    hi = "हाथों-हाथ तामील का विवरण ठीक नहीं ({field})।"
    en = "The delivery by hand is malformed ({field})."


class NoticesAltered(Refusal):
    """The chain of notices is not what was written."""

    code = "notices_altered"
    hi = "सूचनाओं की शृंखला में {count} गड़बड़ी; पहली: {first}"
    en = "The chain of notices is altered in {count} places; the first: {first}"
