"""The report's words, each in Hindi and English."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from bahal.shared.text import Language, day_in_words, grouped
from bahal.shared.words import CAUSES
from bahal.shared.words import WORDS as CODES

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("वसूली प्रतिवेदन", "Recovery report"),
    "circle": ("बिलासपुर वृत्त", "Bilaspur circle"),
    "simulated": (
        "यह पूर्वाभ्यास है। लोग, बिल, मीटर, बैंक और एसएमएस केंद्र काल्पनिक हैं। DLMS/COSEM संदेश, विच्छेदन का अधिकार, "
        "बही और रिले की जाँच वही हैं जो असल में चलते हैं।",
        "This is a rehearsal. The people, bills, meters, bank and SMS centre are simulated. The DLMS/COSEM messages, "
        "the right to cut, the ledger and the reading back of each relay are those that run in earnest.",
    ),
    "key_cut": ("कटे और जाँचे गए", "cut and read back"),
    "key_rupees": ("काउंटर पर मिले", "paid at the counter"),
    "key_restored": ("की बिजली बहाल", "lit again"),
    "key_p50": ("भुगतान से बिजली तक, आधे इससे पहले", "from payment to light, half were sooner"),
    "key_dark": ("अब भी विच्छेदित", "still dark"),
    "funnel": ("सूची से बहाली तक", "From the list to the light"),
    "listed": ("₹5,000 से अधिक बकाया, सूचना तामील", "Owed over ₹5,000 under a served notice"),
    "dropped_out": ("स्मरणों के बीच चुकाया, सूची से बाहर", "Paid between the reminders, dropped out"),
    "proposed": ("प्रस्तावित, दो अधिकारियों के हस्ताक्षर", "Proposed, signed by two officers"),
    "cancelled_paid": ("काटने से ठीक पहले चुकाया, रद्द", "Paid before their own cut, cancelled"),
    "sent": ("विच्छेदन भेजा", "Cut sent"),
    "confirmed": ("विच्छेदन रिले पढ़कर पक्का", "Cut confirmed by reading the relay"),
    "paid": ("कटने के बाद चुकाया", "Paid after the cut"),
    "restored": ("बहाल, रिले पढ़कर पक्का", "Restored, confirmed by reading the relay"),
    "still_dark": ("अब भी विच्छेदित", "Still dark"),
    "step": ("चरण", "Step"),
    "connections": ("कनेक्शन", "Connections"),
    "share": ("सूची का अंश", "Share of the list"),
    "divisions": ("संभागवार", "By division"),
    "division": ("संभाग", "Division"),
    "col_sent": ("भेजे", "Sent"),
    "col_confirmed": ("पक्के", "Confirmed"),
    "col_paid": ("चुकाया", "Paid"),
    "col_rupees": ("राशि", "Amount"),
    "col_restored": ("बहाल", "Restored"),
    "col_dark": ("विच्छेदित", "Dark"),
    "total": ("योग", "Total"),
    "light": ("भुगतान से बिजली तक", "From payment to light"),
    "light_text": (
        "समय भुगतान की पावती से मीटर की रिले चालू पढ़े जाने तक, सेकंड में। आधे भुगतान {p50} सेकंड में बहाल हुए, "
        "सौ में से पंचानवे {p95} सेकंड में, निन्यानवे {p99} सेकंड में।",
        "Seconds from the acknowledged payment until the meter's relay was read back closed. Half of the payers were "
        "lit within {p50} s, ninety-five in a hundred within {p95} s, ninety-nine within {p99} s.",
    ),
    "slow_text": (
        "सबसे धीमे पाँच प्रतिशत में समय किसमें गया: {causes}।",
        "Where the time of the slowest five in a hundred went: {causes}.",
    ),
    "slow_one": ("{cause} ({count}; अधिकतम {worst} सेकंड)", "{cause} ({count}; at most {worst} s)"),
    "chart": ("भुगतान से बिजली तक के सेकंड, कनेक्शनों की संख्या", "Seconds from payment to light, number of connections"),
    "seconds": ("सेकंड", "Seconds"),
    "and_longer": ("{low} या अधिक", "{low} or more"),
    "as_table": ("आँकड़े तालिका में", "The figures as a table"),
    "messages": ("एसएमएस", "SMS"),
    "messages_text": ("{sent} भेजे गए, {delivered} पहुँचे।", "{sent} sent, {delivered} delivered."),
    "message_kind": ("प्रकार", "Kind"),
    "message_sent": ("भेजे", "Sent"),
    "kind_reminder": ("स्मरण", "Reminder"),
    "kind_cut": ("विच्छेदन की सूचना", "Supply cut"),
    "kind_restored": ("बिजली बहाल", "Supply restored"),
    "kind_payment": ("भुगतान की पावती", "Payment received"),
    "excluded": ("न्यूनतम से अधिक बकाया, पर सूची में नहीं", "Over the minimum, but not listed"),
    "reason": ("कारण", "Reason"),
    "open_ends": ("जो शेष है", "What is left open"),
    "unknown": ("परिणाम अज्ञात", "Outcome unknown"),
    "field_tasks": ("मौके पर जाँच", "Field tasks"),
    "relay_off": ("मीटर जिनकी रिले खुली पढ़ी गई", "Meters whose relay was last read open"),
    "nothing_open": ("कुछ शेष नहीं: हर आदेश का परिणाम पढ़ा गया।", "Nothing: every order ended with its relay read."),
    "tasks": ("लाइनमैन के कार्य", "Tasks for a lineman"),
    "tasks_text": (
        "ये आदेश दूर से पूरे नहीं हो सके; हर एक लाइनमैन का कार्य बना। जिसने इस बीच चुकाया, उसका विच्छेदन कार्य निपटा माना गया।",
        "These orders could not be brought to an end from afar; each became a task for a lineman. Where the consumer "
        "has paid since, the task of his cut is closed.",
    ),
    "press_button": (
        "{count} की बिजली तब आएगी जब वे अपने मीटर का बटन दबाएँगे",
        "{count} will have light when they press the button on their meter",
    ),
    "task_cut": ("विच्छेदन", "Cut"),
    "task_restore": ("बहाली", "Restore"),
    "task_closed": ("निपटा", "closed"),
    "order": ("आदेश", "Order"),
    "order_kind": ("क्या करना था", "What for"),
    "cause": ("कारण", "Cause"),
    "every_order": (
        "{orders} आदेश: {verified} रिले पढ़कर पक्के, {cancelled} भेजने से पहले रद्द, {refused} अस्वीकृत,"
        " {field_tasks} लाइनमैन के पास, {open} अधूरे।",
        "{orders} orders: {verified} verified by reading the relay, {cancelled} cancelled unsent, {refused} refused,"
        " {field_tasks} with a lineman, {open} unfinished.",
    ),
    "faults": ("मीटरों और संपर्क की खराबियाँ", "What went wrong with meters and links"),
    "faults_text": (
        "पूर्वाभ्यास में जान-बूझकर की गई खराबियाँ, मीटरों के अपने लॉग से: {log}",
        "Made on purpose for this rehearsal, by the meters' own log: {log}",
    ),
    "fault": ("खराबी", "Fault"),
    "meters": ("मीटर", "Meters"),
    "times": ("कितनी बार", "Times"),
    "fault_latency": ("देर से उत्तर देने वाला क्षेत्र", "Cell that answers late"),
    "fault_lost_link": ("संपर्क बीच में टूटा", "Link lost"),
    "fault_action_dropped": ("आदेश के बीच संपर्क टूटा", "Link lost in the middle of the command"),
    "fault_reply_lost": ("रिले हिली, उत्तर खो गया", "Relay moved, reply lost"),
    "fault_ok_unmoved": ("'हो गया' कहा, रिले नहीं हिली", "Said ok, relay did not move"),
    "fault_stuck": ("रिले अटकी", "Relay stuck"),
    "fault_stuck_open": ("रिले खुली अटकी", "Relay stuck open"),
    "fault_control_mode_0": ("रिले दूर से नहीं चलती", "Relay not remote controlled"),
    "fault_control_mode_1": ("बहाली के बाद बटन दबाना पड़ता है", "Button needed after a restore"),
    "fault_wrong_key": ("दूसरी चाबी", "Another key"),
    "fault_duplicated_title": ("पड़ोसी का नाम", "Neighbour's title"),
    "fault_clock_jump": ("घड़ी गलत", "Clock elsewhere"),
    "fault_counter_rolled_back": ("गणक पीछे गया", "Counter rolled back"),
    "fault_counter_lost": ("गणक खो गया", "Counter lost"),
    "fault_slow_loris": ("एक-एक बाइट का उत्तर", "Replies a byte at a time"),
    "fault_half_open": ("जुड़ा पर चुप", "Connected and silent"),
    "fault_malformed": ("बेमेल उत्तर", "Malformed reply"),
    "fault_oversized": ("बहुत लंबा उत्तर", "Oversized reply"),
    "fault_exception": ("सेवा से इनकार", "Exception"),
    "fault_reconnect_storm": ("बार-बार संपर्क", "Storm of reconnects"),
    "state_cancelled": ("रद्द", "Cancelled"),
    "state_refused": ("अस्वीकृत", "Refused"),
    "state_quarantined": ("रोककर रखे", "Quarantined"),
    "state_expired": ("अवधि समाप्त", "Expired"),
    "state_authorised": ("प्रतीक्षा में", "Waiting"),
    "state_claimed": ("प्रतीक्षा में", "Waiting"),
    "state_proposed": ("हस्ताक्षर शेष", "Not signed"),
    "readings": ("मीटरों ने क्या बताया", "What the meters said"),
    "readings_text": (
        "सोमवार से पहले का सप्ताह {of} में से {complete} मीटरों से DLMS पर पढ़ा गया: {meter_days} मीटर-दिन जाँचे गए,"
        " {estimated} में अनुमान।",
        "The week before the Monday was read from {complete} of {of} meters over DLMS: {meter_days} meter-days "
        "validated, estimates in {estimated}.",
    ),
    "worst": ("सबसे अधिक हानि वाला ट्रांसफार्मर (रविवार)", "Transformer that loses most (Sunday)"),
    "worst_text": ("{name}: {lost} यूनिट, {share}", "{name}: {lost} units, {share}"),
    "falling": ("घटती खपत की चेतावनी", "Warning: consumption falls"),
    "falling_text": (
        "कनेक्शन {connection}, मीटर {meter}: {percent} % कम, पहले {usual} यूनिट प्रतिदिन",
        "connection {connection}, meter {meter}: {percent} % less, {usual} units a day before",
    ),
    "accuses_nobody": (
        "चेतावनी किसी पर आरोप नहीं है: पहले मौके पर देखा जाए।",
        "A warning accuses nobody: somebody looks on the spot first.",
    ),
    "alerts": ("चेतावनियाँ", "Alerts"),
    "no_alerts": ("कोई चेतावनी नहीं।", "None."),
    "alert": ("चेतावनी", "Alert"),
    "meter": ("मीटर", "Meter"),
    "connection": ("कनेक्शन", "Connection"),
    "at": ("समय", "Time"),
    "provenance": ("यह प्रतिवेदन किससे बना", "Where this report comes from"),
    "drive": ("अभियान", "Drive"),
    "seed": ("बीज संख्या", "Seed"),
    "list_sha256": ("हस्ताक्षरित सूची का SHA-256", "SHA-256 of the signed list"),
    "fleet_log": ("मीटरों का अपना लॉग, मिलान के लिए", "The meters' own log, to compare with"),
    "took": ("पहले विच्छेदन से अंतिम की जाँच तक", "From the start to the last cut read back"),
    "took_seconds": ("{seconds} से.", "{seconds} s"),
}

WEEKDAYS: Mapping[Language, tuple[str, ...]] = {
    "hi": ("सोमवार", "मंगलवार", "बुधवार", "गुरुवार", "शुक्रवार", "शनिवार", "रविवार"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}

_SIDE = {"hi": 0, "en": 1}


def word(key: str, language: Language, **data: object) -> str:
    """A word or sentence of the report."""
    return WORDS[key][_SIDE[language]].format_map(data)


def place_and_day(result: Mapping[str, Any], language: Language, on: date | None) -> str:
    """Bilaspur circle, Monday 24 November 2025: of a rehearsal its circle, else the drive; the day if it is known."""
    place = word("circle", language) if "seed" in result else f"{word('drive', language)} {result.get('drive', '–')}"
    return place if on is None else f"{place}, {WEEKDAYS[language][on.weekday()]} {day_in_words(on, language)}"


def what_meters_said(result: Mapping[str, Any], language: Language) -> list[tuple[str, str]]:
    """Lines about the week's readings, each with its heading's key; nothing where the result has none."""
    said = result.get("readings")
    if not said:
        return []
    lines = [
        (
            "readings",
            word(
                "readings_text", language, of=grouped(said["meters"]), complete=grouped(said["complete"]),
                meter_days=grouped(said["meter_days"]), estimated=grouped(said["estimated"]),
            ),
        )
    ]  # fmt: skip
    for each in said["worst"][:1]:
        share = f"{100 * each['lost_wh'] / each['in_wh']:.0f} %"
        lost = f"{each['lost_wh'] / 1000:.1f}"
        lines.append(("worst", word("worst_text", language, name=each["transformer"], lost=lost, share=share)))
    for each in said["falling"]:
        text = word(
            "falling_text", language, connection=each["connection"], meter=each["meter"],
            percent=each["missing_percent"], usual=each["usual_kwh"],
        )  # fmt: skip
        lines.append(("falling", text))
    return lines


def every_order(result: Mapping[str, Any], language: Language) -> str:
    """How every order of the drive ended; with who must press a button, where somebody must."""
    orders = result["orders"]
    counts = {name: grouped(orders[name]) for name in ("verified", "cancelled", "refused", "field_tasks", "open")}
    ends = sum(orders[name] for name in counts)
    said = word("every_order", language, orders=grouped(ends), **counts)
    if orders["press_button"]:
        said += f" {word('press_button', language, count=grouped(orders['press_button']))}" + (
            "।" if language == "hi" else "."
        )
    return said


def light_sentences(result: Mapping[str, Any], language: Language) -> list[str]:
    """How fast payers were lit, and where the time of the slowest went; nothing where nobody was lit."""
    restored = result["restored"]
    if not restored["confirmed"]:
        return []
    times = {name: in_seconds(restored[f"{name}_s"]) for name in ("p50", "p95", "p99")}
    said = [word("light_text", language, **times)]
    slow = result.get("clock", {}).get("slow")
    if slow:
        causes = "; ".join(
            word(
                "slow_one", language, cause=CODES["delays"][each["cause"]][_SIDE[language]],
                count=grouped(each["count"]), worst=in_seconds(each["worst_s"]),
            )
            for each in slow
        )  # fmt: skip
        said.append(word("slow_text", language, causes=causes))
    return said


def reason(code: str, language: Language) -> str:
    """A reason against a cut, or its code where there are no words for it."""
    return CODES["verdicts"][code][_SIDE[language]] if code in CODES["verdicts"] else code.replace("_", " ")


def cause(code: str, language: Language) -> str:
    """Why an order ended with a lineman, or its code where there are no words for it."""
    return CAUSES[code][_SIDE[language]] if code in CAUSES else code.replace("_", " ")


def task_kind(task: Mapping[str, Any], language: Language) -> str:
    """Cut or restore; and that the task is closed, if it is."""
    kind = known("task", str(task["kind"]), language)
    return kind if task["open"] else f"{kind} ({word('task_closed', language)})"


def alert_kind(code: str, language: Language) -> str:
    """What an alert means, or its code."""
    kinds = CODES["alerts"]
    return kinds[code][_SIDE[language]] if code in kinds else code.replace("_", " ")


def known(prefix: str, code: str, language: Language) -> str:
    """`prefix_code` if it is a word of ours, else the code."""
    key = f"{prefix}_{code}"
    return word(key, language) if key in WORDS else code.replace("_", " ")


def in_rupees(amount: int) -> str:
    """Whole rupees in Indian grouping."""
    return f"₹{grouped(amount)}"


def in_seconds(seconds: float | None) -> str:
    """Seconds to two places, or a dash where nothing was measured."""
    return "–" if seconds is None else f"{seconds:.2f}"
