"""What the supply refuses."""

from bahal.shared.errors import Refusal, filled
from bahal.shared.text import Language
from bahal.shared.words import CAUSES


class OrderUnknown(Refusal):
    """No such order."""

    code = "order_unknown"
    hi = "आदेश {order} नहीं मिला।"
    en = "There is no order {order}."


class DriveUnknown(Refusal):
    """No such drive."""

    code = "drive_unknown"
    hi = "अभियान {drive} नहीं मिला।"
    en = "There is no drive {drive}."


class DerivationMissing(Refusal):
    """Nothing was kept of what a drive's list was derived from."""

    code = "derivation_missing"
    hi = "अभियान {drive} की सूची किन तथ्यों से बनी, यह नहीं रखा गया।"
    en = "What the list of drive {drive} was derived from was not kept."


class DriveNotInState(Refusal):
    """The drive's life does not allow this step."""

    code = "drive_not_in_state"
    hi = "अभियान {drive} की स्थिति {state} है; यह कदम {wanted} में ही हो सकता है।"
    en = "Drive {drive} is {state}; this step needs it to be {wanted}."


class DriveExpired(Refusal):
    """The warrant's time is over."""

    code = "drive_expired"
    hi = "अभियान {drive} का समय {expires_at} पर समाप्त हो गया।"
    en = "The warrant of drive {drive} expired at {expires_at}."


class SameOfficer(Refusal):
    """Two different officers sign a drive."""

    code = "same_officer"
    hi = "{officer} ने ही प्रस्ताव बनाया है: दूसरा हस्ताक्षर किसी और अधिकारी का होना चाहिए।"
    en = "{officer} made this proposal: the second signature must be another officer's."


class MakerUnsigned(Refusal):
    """The maker signs before the checker."""

    code = "maker_unsigned"
    hi = "अभियान {drive} पर पहले {officer} को इंटरलॉक के पृष्ठ पर हस्ताक्षर करना है।"
    en = "{officer} has to sign drive {drive} on the interlock's page first."


class SignatureWrong(Refusal):
    """The signature is not this officer's over this document."""

    code = "signature_wrong"
    hi = "हस्ताक्षर {officer} का नहीं है या सूची बदल गई है।"
    en = "The signature is not that of {officer} over this list."


class WarrantMalformed(Refusal):
    """The document cannot be a warrant."""

    code = "warrant_malformed"
    hi = "अधिपत्र ठीक नहीं: {why}"
    en = "The warrant is malformed: {why}"


class ListChanged(Refusal):
    """Between drafting and proposing a payment, a hold or an order changed the list."""

    code = "list_changed"
    hi = "प्रस्ताव के बाद सूची बदल गई है ({drafted} से {found} कनेक्शन): नया मसौदा बनाएँ।"
    en = "The list has changed since it was drafted ({drafted} connections, now {found}): draft it again."


class NobodyToCut(Refusal):
    """No connection may be cut."""

    code = "nobody_to_cut"
    hi = "{circle} वृत्त में कोई कनेक्शन विच्छेदन योग्य नहीं।"
    en = "No connection of circle {circle} may be cut."


class GroundNotForOfficers(Refusal):
    """An officer may order a restore on some grounds; a payment and a policy do it by themselves."""

    code = "restore_ground_unknown"
    hi = "पुनर्संयोजन का आधार `{ground}` नहीं हो सकता; ये हो सकते हैं: {grounds}।"
    en = "`{ground}` is no ground for an officer's restore; these are: {grounds}."


class ReasonMissing(Refusal):
    """An officer's act states its reason."""

    code = "reason_missing"
    hi = "कारण लिखना ज़रूरी है।"
    en = "A reason must be given."


class WarrantUsed(Refusal):
    """A warrant is proposed once."""

    code = "warrant_used"
    hi = "यह अधिपत्र पहले ही अभियान {drive} में प्रयोग हो चुका है।"
    en = "This warrant was used already, for drive {drive}."


class ArmingUnknown(Refusal):
    """No such request."""

    code = "arming_unknown"
    hi = "कटौती फिर खोलने का अनुरोध {arming} नहीं मिला।"
    en = "There is no request {arming} to let cuts go out again."


class ArmingOver(Refusal):
    """The request was judged, or signed by two, already."""

    code = "arming_over"
    hi = "अनुरोध {arming} पर दोनों हस्ताक्षर हो चुके हैं।"
    en = "Request {arming} has both its signatures already."


class CutsNotStopped(Refusal):
    """There is nothing to arm."""

    code = "cuts_not_stopped"
    hi = "कटौती रुकी हुई नहीं है।"
    en = "Cuts are not stopped."


class CutsStoppedAlready(Refusal):
    """Somebody, or the dead-man, was faster; cuts are stopped."""

    code = "cuts_stopped_already"
    hi = "कटौती पहले से रुकी है: {why} ({by})।"
    en = "Cuts are stopped already: {why} ({by})."


class RestoringWrong(Refusal):
    """A document of the rules of restoring does not read."""

    code = "restoring_wrong"
    hi = "बहाली के नियम {file} में {what} ठीक नहीं: {why}"
    en = "In the rules of restoring {file}, {what} is wrong: {why}"


class RestoringTaken(Refusal):
    """A change is a new version."""

    code = "restoring_taken"
    hi = "बहाली के नियमों का संस्करण {version} पहले से है।"
    en = "There is a version {version} of the rules of restoring already."


class RestoringUnknown(Refusal):
    """No such version waits."""

    code = "restoring_unknown"
    hi = "बहाली के नियमों का संस्करण {version} स्वीकृति के लिए नहीं है।"
    en = "No version {version} of the rules of restoring waits to be accepted."


class OfficerMayNotSetRestoring(Refusal):
    """Only some roles change how supply comes back."""

    code = "officer_may_not_set_restoring"
    hi = "{login} ({role}) बहाली के नियम नहीं बदल सकते।"
    en = "{login} ({role}) may not change the rules of restoring."


class CauseUnknown(Refusal):
    """A drive is undone for one of a few causes."""

    code = "recall_cause_unknown"
    hi = "अभियान की बहाली का कारण `{cause}` नहीं हो सकता; ये हो सकते हैं: {causes}।"
    en = "`{cause}` is no cause to restore a drive; these are: {causes}."


class EvidenceMissing(Refusal):
    """What is not an emergency is shown by something."""

    code = "evidence_missing"
    hi = "{cause}: प्रमाण देना ज़रूरी है।"
    en = "{cause}: evidence must be given."


class EvidenceWrong(Refusal):
    """The file is empty or too large."""

    code = "evidence_wrong"
    hi = "प्रमाण की फ़ाइल {name} ({bytes} बाइट) 1 से {most} बाइट की हो।"
    en = "The evidence {name} ({bytes} bytes) must have between 1 and {most} bytes."


class RecallOpen(Refusal):
    """One at a time."""

    code = "recall_open"
    hi = "अभियान {drive} की बहाली पहले से चल रही है।"
    en = "Drive {drive} is being restored already."


class RecallUnknown(Refusal):
    """No such recall."""

    code = "recall_unknown"
    hi = "अभियान की बहाली {recall} नहीं मिली।"
    en = "There is no recall {recall}."


class RecallOver(Refusal):
    """It needs no second word."""

    code = "recall_over"
    hi = "बहाली {recall} को दूसरे अधिकारी की ज़रूरत नहीं।"
    en = "Recall {recall} needs no second officer any more."


class NothingQuarantined(Refusal):
    """No order of the drive waits beyond a cap."""

    code = "nothing_quarantined"
    hi = "अभियान {drive} का कोई आदेश सीमा पर रुका नहीं है।"
    en = "No order of drive {drive} waits beyond a cap."


class LettingUnknown(Refusal):
    """No such request."""

    code = "letting_unknown"
    hi = "सीमा पर रुके आदेशों का अनुरोध {letting} नहीं मिला।"
    en = "There is no request {letting} over quarantined orders."


class LettingOver(Refusal):
    """The request was judged, or signed by two, already."""

    code = "letting_over"
    hi = "अनुरोध {letting} पर दोनों हस्ताक्षर हो चुके हैं।"
    en = "Request {letting} has both its signatures already."


class GroundUnknown(Refusal):
    """No cut is derived on this ground, or nothing of it waits."""

    code = "ground_unknown"
    hi = "`{ground}` पर कोई विच्छेदन तय नहीं होता।"
    en = "No cut is derived on `{ground}`."


class GroundRefused(Refusal):
    """Something stands against a cut on this ground; `against` names all of it, by connection."""

    code = "ground_refused"
    hi = "कनेक्शन {connection} काटा नहीं जा सकता: {told}।"
    en = "Connection {connection} may not be cut: {told}."

    def text(self, language: Language) -> str:
        """The sentence in one language, the first reason in its words."""
        reason = str(self.data["reason"])
        told = CAUSES[reason][language != "hi"] if reason in CAUSES else reason
        return filled(self.hi if language == "hi" else self.en, self.data | {"told": told})


class NotCutForDebt(Refusal):
    """A policy brings back what a debt took."""

    code = "not_cut_for_debt"
    hi = "कनेक्शन {connection} बकाया के कारण विच्छेदित नहीं है।"
    en = "Connection {connection} is not cut for arrears."


class EmergencyUsed(Refusal):
    """As often as the policy gives it, within a year."""

    code = "emergency_used"
    hi = "कनेक्शन {connection} की आपात बहाली एक वर्ष में {times} बार हो चुकी है (नीति {policy})।"
    en = "Connection {connection} has had its emergency restore {times} times within a year (policy {policy})."
