"""The sentences of the audit: one template per act and language, filled from the entry's data when it is shown.

A datum whose name ends in `paise` is shown in rupees. Every act that the code records has both sentences (a test finds
each call and looks here), and no other act can be recorded. One table in one file, however long: whoever adds an act
finds its neighbours.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from bahal.shared.errors import filled
from bahal.shared.text import Language
from bahal.shared.words import WORDS, word

SENTENCES: Mapping[str, tuple[str, str]] = {
    "network.registered": (
        "{circle} वृत्त दर्ज: {offices} कार्यालय, {feeders} फीडर, {transformers} ट्रांसफार्मर, {connections} कनेक्शन।",
        "Circle {circle} registered: {offices} offices, {feeders} feeders, {transformers} transformers, "
        "{connections} connections.",
    ),
    "staff.enrolled": (
        "अधिकारी {login} ({role}) दर्ज, हस्ताक्षर कुंजी {key}।",
        "Officer {login} ({role}) enrolled with signing key {key}.",
    ),
    "staff.charter.asked": (
        "इंटरलॉक के अधिकार-पत्र में बदलाव माँगा गया: {kind} {who}, संख्या {number}।",
        "A change to the interlock's charter was asked for: {kind} {who}, number {number}.",
    ),
    "staff.charter.signed": (
        "इंटरलॉक के अधिकार-पत्र में बदलाव पर हस्ताक्षर: {kind} {who}, संख्या {number}।",
        "A change to the interlock's charter was signed: {kind} {who}, number {number}.",
    ),
    "staff.signed_in": (
        "अधिकारी {login} ({role}) ने प्रवेश किया।",
        "Officer {login} ({role}) signed in.",
    ),
    "consumer.seen": (
        "{login} ({role}) ने यह खाता देखा।",
        "{login} ({role}) looked at this account.",
    ),
    "policy.proposed": (
        "वसूली नीति {version}, {effective_from} से, प्रस्तावित (कार्यालय {office}, श्रेणी {category}; {unverified} नियम "
        "असत्यापित)।",
        "Recovery policy {version} proposed from {effective_from} (office {office}, category {category}; "
        "{unverified} rules unverified).",
    ),
    "policy.set": (
        "{proposed_by} की प्रस्तावित वसूली नीति {version}, {effective_from} से, स्वीकृत: न्यूनतम {minimum_paise}, "
        "सूचना {notice_clear_days} स्पष्ट दिन: {reason}।",
        "Recovery policy {version} from {effective_from}, proposed by {proposed_by}, accepted: minimum "
        "{minimum_paise}, notice of {notice_clear_days} clear days: {reason}.",
    ),
    "restoring.proposed": (
        "बहाली के नियम {version}, {effective_from} से, प्रस्तावित ({unverified} नियम असत्यापित)।",
        "Rules of restoring {version} proposed from {effective_from} ({unverified} of them unverified).",
    ),
    "restoring.accepted": (
        "बहाली के नियम {version} स्वीकृत: {reason}।",
        "Rules of restoring {version} accepted: {reason}.",
    ),
    "area.held": (
        "क्षेत्र की रोक {hold} ({kind}) लगाई गई: {area}, प्रमाण: {evidence}; अवधि {expires_at} तक।",
        "Hold {hold} ({kind}) placed over {area}, evidence: {evidence}; until {expires_at}.",
    ),
    "area.freed": ("क्षेत्र की रोक {hold} हटाई गई।", "Hold {hold} of an area lifted."),
    "vulnerable.registered": (
        "संवेदनशील उपभोक्ता पंजी में दर्ज ({need}), प्रमाण: {evidence}; पुनर्विचार {review_on} को।",
        "Entered in the register of vulnerable consumers ({need}), evidence: {evidence}; review on {review_on}.",
    ),
    "vulnerable.ended": (
        "संवेदनशील उपभोक्ता पंजी से हटाया गया: {reason}।",
        "Taken off the register of vulnerable consumers: {reason}.",
    ),
    "conversion.noted": (
        "{converted_on} से प्रीपेड; प्रारंभिक शेष मिलाने तक विच्छेदन नहीं।",
        "Prepaid from {converted_on}; no cut until the opening balance is reconciled.",
    ),
    "conversion.reconciled": (
        "प्रीपेड का प्रारंभिक शेष {opening_paise} मिलाया गया।",
        "Opening balance of prepaid reconciled: {opening_paise}.",
    ),
    "drive.dry_run": (
        "जाँच-सूची {run}: {listed} विच्छेदन योग्य, {paise}; सूची {list_sha256}।",
        "Dry run {run}: {listed} may be cut, {paise}; list {list_sha256}.",
    ),
    "policy.no_cut_days": (
        "{days} दिन विच्छेदन-रहित घोषित।",
        "{days} days declared free of cuts.",
    ),
    "tariff.proposed": (
        "टैरिफ {name}, {effective_from} से, प्रस्तावित: संस्करण {version}, SHA-256 {sha256}।",
        "Tariff {name} proposed from {effective_from}: version {version}, SHA-256 {sha256}.",
    ),
    "tariff.accepted": (
        "{proposed_by} का प्रस्तावित टैरिफ {name}, {effective_from} से, स्वीकृत: {reason}।",
        "Tariff {name} from {effective_from}, proposed by {proposed_by}, accepted: {reason}.",
    ),
    "tariff.rate_accepted": (
        "असत्यापित दर {path} की ज़िम्मेदारी ली गई: {reason}।",
        "Unverified rate {path} accepted: {reason}.",
    ),
    "bill.posted": (
        "{bills} बिल जारी, कुल {paise}; अग्रिम से {advance_paise} समायोजित।",
        "{bills} bills posted, {paise} in all; {advance_paise} settled from advances.",
    ),
    "bill.held": (
        "{month} का बिल {paise} जाँच के लिए रोका गया: {held_for}।",
        "The bill of {month} for {paise} is held for review: {held_for}.",
    ),
    "bill.released": (
        "रोका हुआ बिल {number} ({paise}) जारी किया गया: {why}।",
        "Held bill {number} for {paise} let go: {why}.",
    ),
    "bill.dropped": (
        "{month} का रोका हुआ बिल {paise} छोड़ा गया: {why}।",
        "The held bill of {month} for {paise} dropped: {why}.",
    ),
    "bill.revised": (
        "{month} की दोबारा गणना, {number}: अंतर {paise}: {why}।",
        "{month} rated again, {number}: a difference of {paise}: {why}.",
    ),
    "bill.meter_exchanged": (
        "मीटर {meter} के स्थान पर {new_meter}; पुराने मीटर का अंतिम बिल {number}: {why}।",
        "Meter {meter} exchanged for {new_meter}; final bill {number} of the old meter: {why}.",
    ),
    "bill.moved_out": (
        "अंतिम बिल {number}, {paise}; प्रतिभूति और अग्रिम से {settled_paise} समायोजित, {refund_paise} वापसी योग्य, "
        "{former_paise} पूर्व उपभोक्ता पर बकाया: {why}।",
        "Final bill {number} for {paise}; {settled_paise} settled from deposit and advance, {refund_paise} to be paid "
        "back, {former_paise} left as a former occupier's due: {why}.",
    ),
    "bill.terms_changed": (
        "{effective_from} से श्रेणी {category}, {phases} फेज, भार {load_w} W: {why}।",
        "From {effective_from} category {category}, {phases} phase, load {load_w} W: {why}.",
    ),
    "bill.registers_taken": (
        "{registers} पठन लिए गए, {known} पहले से थे, {doubted} संदिग्ध।",
        "{registers} registers taken, {known} known already, {doubted} in doubt.",
    ),
    "bill.register_corrected": (
        "मीटर {meter} का {read_on} का पठन {before_kwh} के स्थान पर {kwh} kWh: {why}।",
        "The register of meter {meter} for {read_on} is {kwh} kWh and not {before_kwh}: {why}.",
    ),
    "bill.doubt_settled": (
        "संदिग्ध पठन {doubt} निपटाया गया: {why}।",
        "Doubtful register {doubt} settled: {why}.",
    ),
    "bill.group_set": (
        "वितरण केंद्र {centre} के बिल माह की {issue_day} तारीख़ को, भुगतान के {days_to_pay} दिन।",
        "Bills of centre {centre} go out on day {issue_day} of the month, {days_to_pay} days to pay.",
    ),
    "deposit.taken": ("प्रतिभूति {paise} जमा, {reference}।", "Deposit of {paise} taken, {reference}."),
    "deposit.interest": (
        "प्रतिभूति पर {percent} % वार्षिक ब्याज {paise}; {settled_paise} बकाया में समायोजित।",
        "Interest of {percent} % a year on the deposit: {paise}, of which {settled_paise} settled dues.",
    ),
    "notice.served": (
        "{paise} के लिए लिखित सूचना {issued_on} को जारी, {served_on} को तामील: {service}।",
        "Written notice for {paise} issued on {issued_on}, served on {served_on}: {service}.",
    ),
    "meter.imported": (
        "{loaded} मीटर आयात, {refused} पंक्तियाँ अस्वीकृत; कुंजियाँ इंटरलॉक {interlock_key} और हेड-एंड {headend_key} को सील।",
        "{loaded} meters imported, {refused} rows refused; keys sealed to interlock {interlock_key} and head-end "
        "{headend_key}.",
    ),
    "meter.sims": (
        "सिम सूची आयात: {good} ठीक, {changed} में बदलाव, {refused} पंक्तियाँ अस्वीकृत।",
        "SIM list imported: {good} good, {changed} changed, {refused} rows refused.",
    ),
    "notice.steps": (
        "सूचनाओं की शृंखला में {steps} चरण जुड़े (समूह {batch}), SHA-256 {sha256}।",
        "{steps} steps appended to the chain of notices (batch {batch}), SHA-256 {sha256}.",
    ),
    "notice.issued": (
        "{notices} लिखित सूचनाएँ जारी, कुल {paise}, {day}; माध्यम {channel}।",
        "{notices} written notices issued for {paise} in all, {day}; by {channel}.",
    ),
    "notice.passed_on": (
        "{attempts} सूचनाएँ और स्मरण नहीं पहुँचे; {passed} अगले माध्यम को।",
        "{attempts} notices and reminders did not arrive; {passed} passed on to the next channel.",
    ),
    "letters.listed": (
        "पत्र-सूची {list}: {letters} पत्र, SHA-256 {sha256}।",
        "Letters listed, list {list}: {letters} letters, SHA-256 {sha256}.",
    ),
    "letters.posted": (
        "पत्र-सूची {list} डाक में, {posted_on}: {letters} पत्र, प्रमाण {proof}।",
        "List {list} posted on {posted_on}: {letters} letters, proof {proof}.",
    ),
    "letters.answered": (
        "डाक का उत्तर: {delivered} पत्र पहुँचे, {returned} लौटे ({file}, SHA-256 {sha256})।",
        "The post answered: {delivered} letters arrived, {returned} came back ({file}, SHA-256 {sha256}).",
    ),
    "notice.handed": (
        "{kind}: हाथों-हाथ, {outcome}; {by} द्वारा, {to}; फ़ोटो SHA-256 {photo_sha256}।",
        "{kind} by hand, {outcome}; by {by}, to {to}; photo SHA-256 {photo_sha256}.",
    ),
    "wording.proposed": (
        "पाठ {template}, संस्करण {version}, {effective_from} से, प्रस्तावित।",
        "Text {template}, version {version} from {effective_from}, proposed.",
    ),
    "wording.accepted": (
        "{proposed_by} का प्रस्तावित पाठ {template}, संस्करण {version}, {effective_from} से, स्वीकृत: {reason}।",
        "Text {template}, version {version} from {effective_from}, proposed by {proposed_by}, accepted: {reason}.",
    ),
    "reminder.queued": (
        "{day} को {messages} बकायादारों के लिए एसएमएस स्मरण तैयार, कुल बकाया {paise}।",
        "Reminders by SMS queued for {messages} who still owe on {day}, {paise} in all.",
    ),
    "consumer.signed_in": (
        "उपभोक्ता ने अपने मोबाइल पर आए कोड से खाता खोला।",
        "The consumer opened the account by a code sent to his mobile.",
    ),
    "consumer.language": (
        "संदेशों और पृष्ठों की भाषा बदली: {language}।",
        "Language of messages and pages changed: {language}.",
    ),
    "consumer.data_taken": ("उपभोक्ता ने अपना सारा डेटा लिया।", "The consumer took all his own data."),
    "complaint.raised": ("शिकायत {complaint} दर्ज ({kind})।", "Complaint {complaint} raised ({kind})."),
    "complaint.taken_up": ("शिकायत {complaint} पर काम शुरू।", "Complaint {complaint} taken up."),
    "complaint.answered": ("शिकायत {complaint} का उत्तर दिया गया।", "Complaint {complaint} answered."),
    "complaint.reopened": (
        "उपभोक्ता ने शिकायत {complaint} फिर खोली।",
        "The consumer opened complaint {complaint} again.",
    ),
    "complaint.closed": ("उपभोक्ता ने शिकायत {complaint} बंद की।", "The consumer closed complaint {complaint}."),
    "payment.taken": (
        "{paise} प्राप्त ({channel}), रसीद {receipt}; शेष बकाया {due_paise}, अग्रिम में जमा {advance_paise}।",
        "{paise} received ({channel}), receipt {receipt}; still due {due_paise}, kept in advance {advance_paise}.",
    ),
    "payment.cheque.bounced": (
        "रसीद {receipt} का चेक ({paise}) वापस: {why}; बकाया फिर खुला, शुल्क {charge_paise}।",
        "The cheque of receipt {receipt} ({paise}) came back: {why}; its dues are open again, charge {charge_paise}.",
    ),
    "payment.cheque.cleared": (
        "रसीद {receipt} का चेक ({paise}) बैंक में जमा हो गया।",
        "The cheque of receipt {receipt} ({paise}) has cleared.",
    ),
    "payment.cancel.proposed": (
        "रसीद {receipt} ({paise}) रद्द करने का प्रस्ताव {proposal}: {why}।",
        "Proposal {proposal} to cancel receipt {receipt} ({paise}): {why}.",
    ),
    "payment.cancelled": (
        "रसीद {receipt} ({paise}) रद्द, प्रस्तावक {proposed_by}; बकाया फिर खुला।",
        "Receipt {receipt} ({paise}) cancelled as {proposed_by} proposed; its dues are open again.",
    ),
    "payment.refund.proposed": (
        "अग्रिम में से {paise} वापस करने का प्रस्ताव {proposal}: {why}।",
        "Proposal {proposal} to pay back {paise} held in advance: {why}.",
    ),
    "payment.refund.paid": (
        "प्रस्ताव {proposal} के {paise} बैंक से भेजे गए, संदर्भ {utr}।",
        "{paise} of proposal {proposal} were sent by the bank, reference {utr}.",
    ),
    "payment.payer.proposed": (
        "उचंत राशि {paise} ({source}) इस कनेक्शन की होने का प्रस्ताव {proposal}: {why}।",
        "Proposal {proposal} that {paise} in suspense ({source}) belong to this connection: {why}.",
    ),
    "payment.proposal.accepted": (
        "प्रस्ताव {proposal} ({kind}, {paise}) स्वीकृत; प्रस्तावक {proposed_by}।",
        "Proposal {proposal} ({kind}, {paise}) of {proposed_by} accepted.",
    ),
    "payment.proposal.declined": (
        "प्रस्ताव {proposal} ({kind}, {paise}) अस्वीकृत; प्रस्तावक {proposed_by}।",
        "Proposal {proposal} ({kind}, {paise}) of {proposed_by} declined.",
    ),
    "payment.suspended": (
        "{paise} उचंत में जमा: {source} का भुगतानकर्ता ज्ञात नहीं।",
        "{paise} posted to suspense: the payer of {source} is not known.",
    ),
    "settlement.loaded": (
        "निपटान फ़ाइल {name}: {lines} पंक्तियाँ, {paise}; {differences} अंतर कतार में।",
        "Settlement file {name}: {lines} lines, {paise}; {differences} differences queued.",
    ),
    "difference.closed": (
        "अंतर {difference} ({difference_kind}, {reference}) बंद: {how}।",
        "Difference {difference} ({difference_kind}, {reference}) closed: {how}.",
    ),
    "counter.added": (
        "काउंटर {counter} कार्यालय {office} में जोड़ा गया।",
        "Counter {counter} added in office {office}.",
    ),
    "counter.opened": (
        "काउंटर {counter} खुला, आरंभिक नकद {opening_paise}।",
        "Counter {counter} opened with {opening_paise} in cash.",
    ),
    "counter.closed": (
        "काउंटर {counter} बंद: होना चाहिए {expected_paise}, गिना {counted_paise}, अंतर {variance_paise} ({why})।",
        "Counter {counter} closed: due {expected_paise}, counted {counted_paise}, off by {variance_paise} ({why}).",
    ),
    "supply.drive.proposed": (
        "अभियान {drive} प्रस्तावित: {orders} कनेक्शन, {paise}, सूची {list_sha256}, नीति {policy}।",
        "Drive {drive} proposed: {orders} connections, {paise}, list {list_sha256}, policy {policy}.",
    ),
    "supply.drive.on_ground": (
        "अभियान {drive} प्रस्तावित, आधार {ground}: {orders} कनेक्शन, सूची {list_sha256}: {reason}।",
        "Drive {drive} proposed on the ground {ground}: {orders} connections, list {list_sha256}: {reason}.",
    ),
    "ground.requested": (
        "उपभोक्ता ने {wished_on} से अपना विच्छेदन माँगा (क्र. {number}), प्रमाण: {evidence}।",
        "The consumer asked to be cut from {wished_on} (no. {number}), evidence: {evidence}.",
    ),
    "ground.hazard": (
        "ख़तरा {number} ({kind}) दर्ज, प्रमाण: {evidence}।",
        "Danger {number} ({kind}) noted, evidence: {evidence}.",
    ),
    "ground.finding": (
        "चोरी की जाँच {number} दर्ज (धारा 135), चेतावनी {alert}, प्रमाण: {evidence}।",
        "Finding {number} of theft noted (s.135), alert {alert}, evidence: {evidence}.",
    ),
    "ground.answered": (
        "चोरी की जाँच {finding} की ज़िम्मेदारी दूसरे अधिकारी ने ली।",
        "A second officer answers for finding {finding} of theft.",
    ),
    "ground.ended": (
        "विच्छेदन का आधार {ground} समाप्त: {reason}।",
        "The ground {ground} for a cut has ended: {reason}.",
    ),
    "supply.drive.signed": (
        "अभियान {drive} पर दूसरा हस्ताक्षर; {orders} आदेश अधिकृत।",
        "Drive {drive} signed by a second officer; {orders} orders authorised.",
    ),
    "supply.drive.run": ("अभियान {drive} चालू।", "Drive {drive} set running."),
    "supply.drive.maker_signed": (
        "अभियान {drive} पर प्रस्तावक के हस्ताक्षर, {authority} के अधिकार से, इंटरलॉक के पृष्ठ पर पासकी {passkey} से।",
        "Drive {drive} signed by its maker, by authority of {authority}, on the page with passkey {passkey}.",
    ),
    "supply.drive.paused": ("अभियान {drive} रोका गया: {reason}।", "Drive {drive} paused: {reason}."),
    "supply.drive.stopped": ("अभियान {drive} समाप्त किया गया: {reason}।", "Drive {drive} stopped: {reason}."),
    "supply.drive.cancelled": (
        "अभियान {drive} के {orders} अनभेजे आदेश रद्द: {reason}।",
        "{orders} unsent orders of drive {drive} cancelled: {reason}.",
    ),
    "supply.cuts.stopped": ("सारी कटौती रोकी गई (रोक {stop}): {reason}।", "All cuts stopped (stop {stop}): {reason}."),
    "supply.cuts.arming_asked": (
        "रोक {stop} के बाद कटौती फिर खोलने का अनुरोध {arming}: {reason}।",
        "Asked that cuts go out again after stop {stop} (request {arming}): {reason}.",
    ),
    "supply.cuts.arming_signed": (
        "कटौती फिर खोलने के अनुरोध {arming} पर दूसरे अधिकारी के हस्ताक्षर।",
        "Request {arming} that cuts go out again signed by a second officer.",
    ),
    "supply.quarantine.asked": (
        "अभियान {drive} के सीमा पर रुके {orders} आदेशों पर अनुरोध {letting} ({what}): {reason}।",
        "Request {letting} over {orders} quarantined orders of drive {drive} ({what}): {reason}.",
    ),
    "supply.quarantine.signed": (
        "सीमा पर रुके आदेशों के अनुरोध {letting} पर दूसरे अधिकारी के हस्ताक्षर।",
        "Request {letting} over quarantined orders signed by a second officer.",
    ),
    "supply.drive.closed": (
        "अभियान {drive} पूरा ({state}); {expired} आदेश समय निकलने से समाप्त।",
        "Drive {drive} closed ({state}); {expired} orders expired unsent.",
    ),
    "supply.restore.granted": (
        "नीति {policy} से बहाली ({ground}): {days} दिन, {until} तक विच्छेदन नहीं (आदेश {order}, रोक {hold})।",
        "Restored by policy {policy} ({ground}): {days} days, no cut until {until} (order {order}, hold {hold}).",
    ),
    "supply.light.late": (
        "रसीद {receipt} के बाद {minutes} मिनट में बिजली नहीं लौटी (आदेश {order}, कारण {cause}, नियम {rules}); कार्य {task}।",
        "Not lit within {minutes} minutes of receipt {receipt} (order {order}, cause {cause}, rules {rules}); "
        "task {task}.",
    ),
    "compensation.accrued": (
        "रसीद {receipt} के बाद देर से बिजली लौटने पर {periods} अवधि की प्रतिपूर्ति {paise} खाते में जमा (आदेश {order}, "
        "नियम {rules})।",
        "Compensation of {paise} credited for {periods} periods of late light after receipt {receipt} (order {order}, "
        "rules {rules}).",
    ),
    "supply.recall.asked": (
        "अभियान {drive} में कटे सबकी बहाली {recall} माँगी गई ({cause}): {reason}; प्रमाण {evidence}।",
        "Asked to restore everyone cut by drive {drive} (recall {recall}, {cause}): {reason}; evidence {evidence}.",
    ),
    "supply.recall.seconded": (
        "अभियान {drive} की बहाली {recall} ({cause}) को दूसरे अधिकारी की सहमति।",
        "Recall {recall} of drive {drive} ({cause}) seconded.",
    ),
    "supply.recall.ended": (
        "अभियान {drive} की बहाली {recall}: सबके आदेश दिए जा चुके।",
        "Recall {recall} of drive {drive}: everyone is ordered back.",
    ),
    "supply.cut.cancelled": (
        "विच्छेदन आदेश {order} रद्द: {reason} ({cause})।",
        "Cut order {order} cancelled: {reason} ({cause}).",
    ),
    "supply.restore.ordered": (
        "पुनर्संयोजन आदेश {order} दिया गया ({ground}): {cause}।",
        "Restore order {order} made ({ground}): {cause}.",
    ),
    "supply.cut.confirmed": (
        "विच्छेदन आदेश {order} पूरा: मीटर {meter} का रिले खुला पढ़ा गया।",
        "Cut order {order} done: the relay of meter {meter} was read back open.",
    ),
    "supply.restore.confirmed": (
        "पुनर्संयोजन आदेश {order} पूरा: मीटर {meter} का रिले बंद पढ़ा गया, बिजली बहाल।",
        "Restore order {order} done: the relay of meter {meter} was read back closed, supply restored.",
    ),
    "supply.order.unknown": (
        "आदेश {order} का परिणाम अज्ञात ({reason}): रिले फिर पढ़ा जाएगा।",
        "The outcome of order {order} is unknown ({reason}): the relay will be read again.",
    ),
    "supply.order.field_task": (
        "आदेश {order} दूर से पूरा नहीं हुआ ({reason}): लाइनमैन कार्य {task} खुला।",
        "Order {order} could not be done from afar ({reason}): field task {task} opened.",
    ),
    "supply.order.ended": (
        "आदेश {order} इंटरलॉक पर {outcome}: {reason}।",
        "Order {order} ended as {outcome} at the interlock: {reason}.",
    ),
    "hold.placed": (
        "रोक {hold} ({kind}) लगाई गई, प्रमाण: {evidence}; अवधि {expires_at} तक।",
        "Hold {hold} ({kind}) placed, evidence: {evidence}; until {expires_at}.",
    ),
    "hold.lifted": ("रोक {hold} ({kind}) हटाई गई।", "Hold {hold} ({kind}) lifted."),
    "dispute.raised": ("बिल {bill} पर विवाद दर्ज: {reason}।", "Dispute raised over bill {bill}: {reason}."),
    "dispute.closed": ("बिल {bill} का विवाद समाप्त: {outcome}।", "Dispute over bill {bill} closed: {outcome}."),
    "plan.agreed": (
        "किस्त योजना {plan}: {paise}, {parts} किस्तें, पहली {first_on} को।",
        "Instalment plan {plan} agreed: {paise} in {parts} parts, the first on {first_on}.",
    ),
    "plan.fulfilled": ("किस्त योजना {plan} पूरी हुई।", "Instalment plan {plan} fulfilled."),
    "plan.broken": (
        "किस्त योजना {plan} टूटी: {due_on} की किस्त {paise} नहीं आई।",
        "Instalment plan {plan} broken: the part of {paise} due on {due_on} did not come.",
    ),
    "surcharge.charged": (
        "{connections} कनेक्शनों पर विलंब अधिभार {paise} ({parts} भाग), नीति {policy}।",
        "Surcharge of {paise} on {connections} connections ({parts} parts), policy {policy}.",
    ),
    "expenses.charged": (
        "विच्छेदन और पुनर्संयोजन व्यय {paise}, आदेश {order}।",
        "Expenses of cutting and reconnecting of {paise}, order {order}.",
    ),
    "write_off.proposed": (
        "{paise} की छूट प्रस्तावित ({write_off}): {reason}।",
        "Write-off {write_off} of {paise} proposed: {reason}.",
    ),
    "write_off.accepted": (
        "{paise} की छूट {write_off} स्वीकृत; प्रस्तावक {proposed_by}।",
        "Write-off {write_off} of {paise} accepted; proposed by {proposed_by}.",
    ),
    "write_off.declined": (
        "{paise} की छूट {write_off} अस्वीकृत; प्रस्तावक {proposed_by}।",
        "Write-off {write_off} of {paise} declined; proposed by {proposed_by}.",
    ),
    "protest.deposited": (
        "विरोध सहित {paise} जमा (आवश्यक {needed_paise}, दावा {claim_paise}); रोक {hold}।",
        "{paise} deposited under protest (needed {needed_paise} of a claim of {claim_paise}); hold {hold}.",
    ),
    "arrears.step": (
        "विच्छेदन {order} के बाद: {step}; समायोजित {paise}, बकाया {due_paise}।",
        "After cut {order}: {step}; {paise} adjusted, {due_paise} due.",
    ),
    "fieldwork.opened": (
        "लाइनमैन कार्य {task} खुला: {reason}।",
        "Field task {task} opened: {reason}.",
    ),
    "fieldwork.reported": (
        "लाइनमैन कार्य {task} पर रिपोर्ट: {outcome}, बिजली {supply}, पठन {wh} Wh, मुहर {seal}, फ़ोटो {photo}।",
        "Report on field task {task}: {outcome}, supply {supply}, register {wh} Wh, seal {seal}, photo {photo}.",
    ),
    "fieldwork.closed": (
        "लाइनमैन कार्य {task} ({kind}) पूरा: {outcome}।",
        "Field task {task} ({kind}) closed: {outcome}.",
    ),
    "fieldwork.report.accepted": (
        "कार्य {task} की विरोध वाली रिपोर्ट {report} मानी गई: {reason}।",
        "Report {report} on field task {task} accepted though contradicted: {reason}.",
    ),
    "fieldwork.report.declined": (
        "कार्य {task} की विरोध वाली रिपोर्ट {report} नहीं मानी गई: {reason}।",
        "Contradicted report {report} on field task {task} declined: {reason}.",
    ),
    "fieldwork.cut.allowed": (
        "कार्य {task}: हाथ से काटने की अनुमति {until} तक, बाड़ {fence}।",
        "Field task {task}: leave to cut by hand until {until}, fence {fence}.",
    ),
    "fieldwork.cut.refused": (
        "कार्य {task}: हाथ से काटने की अनुमति नहीं: {reason}।",
        "Field task {task}: no leave to cut by hand: {reason}.",
    ),
    "fieldwork.cut.undone": (
        "कार्य {task} का हाथ से किया विच्छेदन वापस ({why}): पुनर्संयोजन आदेश {order}।",
        "The cut by hand of field task {task} is undone ({why}): restore order {order}.",
    ),
    "relay.mismatch": (
        "मीटर {meter} पर मेल नहीं ({kind}): जाँच कतार {mismatch}।",
        "Meter {meter} does not agree ({kind}): queued for inquiry as {mismatch}.",
    ),
    "relay.mismatch.agreed": (
        "मीटर {meter}: बेमेल {mismatch} अब मेल खाता है।",
        "Meter {meter}: mismatch {mismatch} agrees again.",
    ),
    "relay.mismatch.closed": (
        "मीटर {meter}: बेमेल {mismatch} की जाँच पूरी: {outcome}।",
        "Meter {meter}: mismatch {mismatch} looked into: {outcome}.",
    ),
    "fieldwork.overtaken": (
        "लाइनमैन कार्य {task} अब ज़रूरी नहीं: {why}।",
        "Field task {task} is not needed any more: {why}.",
    ),
    "fieldwork.withdrawn": (
        "{tasks} लाइनमैन कार्य वापस: {cause}।",
        "{tasks} field tasks withdrawn: {cause}.",
    ),
    "protection.alert": (
        "मीटर {meter} पर चेतावनी: {kind}।",
        "Alert on meter {meter}: {kind}.",
    ),
    "protection.alert_closed": (
        "मीटर {meter} की चेतावनी {alert} बंद: {outcome}।",
        "Alert {alert} on meter {meter} closed: {outcome}.",
    ),
    "protection.seen_again": (
        "मीटर {meter} की चेतावनी {alert} प्रमाणित संवाद में दोबारा पढ़ी गई: {said}।",
        "Alert {alert} on meter {meter} was read again, authenticated: {said}.",
    ),
    "protection.warned": (
        "सप्ताह {week_end} तक: {looked} मीटर देखे, {warnings} खपत-चेतावनियाँ, नियम {rules}।",
        "Week to {week_end}: {looked} meters looked at, {warnings} consumption warnings by rules {rules}.",
    ),
    "protection.warning": (
        "मीटर {meter} पर खपत-चेतावनी {warning}: {missing_percent} % कम।",
        "Consumption warning {warning} on meter {meter}: {missing_percent} % less.",
    ),
    "protection.warning_closed": (
        "मीटर {meter} की खपत-चेतावनी {warning} बंद: {outcome}।",
        "Consumption warning {warning} on meter {meter} closed: {outcome}.",
    ),
    "rules.proposed": (
        "नियम-पुस्तिका {name}, संस्करण {version}, {effective_from} से, प्रस्तावित: SHA-256 {sha256}।",
        "Rulebook {name}, version {version} from {effective_from}, proposed: SHA-256 {sha256}.",
    ),
    "rules.accepted": (
        "{proposed_by} की प्रस्तावित नियम-पुस्तिका {name}, संस्करण {version}, {effective_from} से, स्वीकृत: {reason}।",
        "Rulebook {name}, version {version} from {effective_from}, proposed by {proposed_by}, accepted: {reason}.",
    ),
    "outage.announced": (
        "{scope} {place} पर {from_at} से {to_at} तक काम घोषित: {reason}।",
        "Work announced on {scope} {place} from {from_at} to {to_at}: {reason}.",
    ),
    "network.input_meter": (
        "मीटर {meter} अब {scope} {place} का इनपुट मीटर, गुणक {factor}।",
        "Meter {meter} measures the input of {scope} {place}, times {factor}.",
    ),
    "network.balanced": (
        "{day} का ऊर्जा संतुलन: {places} स्थान।",
        "Energy balance of {day}: {places} places.",
    ),
    "clock.proposed": (
        "{meters} मीटरों की घड़ी मिलाने का प्रस्ताव।",
        "Proposed that the clocks of {meters} meters be set.",
    ),
    "clock.ordered": (
        "मीटर {meter} की घड़ी मिलाने का आदेश {order}।",
        "Order {order}: set the clock of meter {meter}.",
    ),
    "clock.asked": (
        "मीटर {meter} की घड़ी मिलाने का आदेश {order}; दूसरे अधिकारी की सहमति बाकी।",
        "Order {order}: set the clock of meter {meter}, once a second officer agrees.",
    ),
    "clock.checked": (
        "मीटर {meter} की घड़ी मिलाने के आदेश {order} पर दूसरे अधिकारी सहमत।",
        "Second officer agrees to order {order}: set the clock of meter {meter}.",
    ),
    "clock.withdrawn": (
        "मीटर {meter} की घड़ी मिलाने का आदेश {order} वापस लिया गया।",
        "Order {order} to set the clock of meter {meter} withdrawn.",
    ),
    "clock.set": (
        "मीटर {meter} की घड़ी मिलाई गई: अंतर {before_s} सेकंड था, पढ़ने पर {after_s} सेकंड।",
        "Clock of meter {meter} set: it was {before_s} s off, and {after_s} s when read back.",
    ),
    "clock.ended": (
        "मीटर {meter} की घड़ी नहीं मिलाई गई: {reason}।",
        "Clock of meter {meter} not set: {reason}.",
    ),
    "readings.validated": (
        "{day} की जाँच, क्रम {run}: {meters} मीटर, {estimated} में अनुमान।",
        "{day} validated, run {run}: {meters} meters, estimates in {estimated}.",
    ),
    "readings.edit_proposed": (
        "मीटर {meter}, {day}: {intervals} अंतरालों में {was_wh} Wh के स्थान पर {wh} Wh प्रस्तावित (संशोधन {edit}): {reason}।",
        "Meter {meter}, {day}: {wh} Wh proposed in place of {was_wh} Wh in {intervals} intervals (edit {edit}): "
        "{reason}.",
    ),
    "readings.edited": (
        "मीटर {meter}, {day}: {proposed_by} का संशोधन {edit} स्वीकृत: {reason}।",
        "Meter {meter}, {day}: edit {edit}, proposed by {proposed_by}, accepted: {reason}.",
    ),
    "readings.asked": (
        "{meters} मीटरों का पठन माँगा गया, रजिस्टर {register}।",
        "Reads of {meters} meters asked for, register {register}.",
    ),
    "readings.schedule_proposed": (
        "पठन-कार्यक्रम {kind}, कार्यालय {office}, मेक {make}, हर {minutes} मिनट, {effective_from} से, प्रस्तावित।",
        "Reading schedule {kind}, office {office}, make {make}, every {minutes} minutes from {effective_from}, "
        "proposed.",
    ),
    "readings.scheduled": (
        "{made_by} का प्रस्तावित पठन-कार्यक्रम {kind}, कार्यालय {office}, मेक {make}, हर {minutes} मिनट, {effective_from} से,"
        " स्वीकृत: {reason}।",
        "Reading schedule {kind}, office {office}, make {make}, every {minutes} minutes from {effective_from}, "
        "proposed by {made_by}, accepted: {reason}.",
    ),
}


def sentence(act: str, data: Mapping[str, Any], language: Language) -> str:
    """What happened, for a person.

    :raises KeyError: no such act, or its data lacks what the sentence names.
    """
    hindi, english = SENTENCES[act]
    read = {name: _read(name, datum, language) for name, datum in data.items()}
    return filled(hindi if language == "hi" else english, read)


_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "channel": ("channels",),
    "difference_kind": ("differences",),
    "held_for": ("held bills",),
    "ground": ("grounds",),
    "kind": ("proposals", "holds", "area holds", "alerts"),
    "need": ("needs",),
    "outcome": ("order states",),
    "reason": ("reasons", "verdicts", "clock reasons"),
    "role": ("roles",),
    "state": ("drive states",),
    "step": ("steps after a cut",),
}


def _read(name: str, datum: Any, language: Language) -> Any:
    """A datum as a person reads it: a code by its word, an instant or a day out of its ISO text."""
    if datum is None or datum == "":
        return "—"
    for section in _SECTIONS.get(name, ()):
        if datum in WORDS[section]:
            return word(section, datum, language)
    if isinstance(datum, str) and name.endswith("_at"):
        return datetime.fromisoformat(datum)
    if isinstance(datum, str) and name.endswith(("_on", "_from", "day")):
        return date.fromisoformat(datum)
    return datum
