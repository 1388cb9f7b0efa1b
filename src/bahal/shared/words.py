"""The words of the house: Hindi and English for every code that a person may meet. `docs/words.md` is this table.

A word has one meaning and a meaning one word, in code, screens, interfaces and documents.
"""

from collections.abc import Mapping

from bahal.shared.text import Language

Section = Mapping[str, tuple[str, str]]

WORDS: Mapping[str, Section] = {
    "nouns": {
        "consumer": ("उपभोक्ता", "consumer"),
        "connection": ("कनेक्शन", "connection"),
        "meter": ("मीटर", "meter"),
        "register": ("रजिस्टर", "register"),
        "reading": ("पठन", "reading"),
        "relay": ("रिले", "relay"),
        "bill": ("बिल", "bill"),
        "due": ("देय राशि", "due"),
        "arrears": ("बकाया", "arrears"),
        "enforceable": ("लागू बकाया", "enforceable due"),
        "advance": ("अग्रिम", "advance"),
        "receipt": ("रसीद", "receipt"),
        "payment": ("भुगतान", "payment"),
        "recovery": ("वसूली", "recovery"),
        "policy": ("वसूली नीति", "recovery policy"),
        "notice": ("लिखित सूचना", "written notice"),
        "reminder": ("स्मरण", "reminder"),
        "message": ("संदेश", "message"),
        "hold": ("रोक", "hold"),
        "drive": ("अभियान", "drive"),
        "warrant": ("अधिपत्र", "warrant"),
        "order": ("आदेश", "order"),
        "cut": ("विच्छेदन", "cut"),
        "restore": ("पुनर्संयोजन", "restore"),
        "fence": ("बाड़", "fence"),
        "interlock": ("इंटरलॉक", "interlock"),
        "task": ("लाइनमैन कार्य", "field task"),
        "event": ("घटना", "event"),
        "alert": ("चेतावनी", "alert"),
        "audit": ("लेखा-साक्ष्य", "audit"),
        "seal": ("मुहर", "seal"),
        "feeder": ("फीडर", "feeder"),
        "transformer": ("ट्रांसफार्मर", "transformer"),
    },
    "offices": {
        "region": ("क्षेत्र", "region"),
        "circle": ("वृत्त", "circle"),
        "division": ("संभाग", "division"),
        "subdivision": ("उपसंभाग", "sub-division"),
        "centre": ("वितरण केंद्र", "distribution centre"),
    },
    "roles": {
        "executive_engineer": ("कार्यपालन अभियंता", "executive engineer"),
        "superintending_engineer": ("अधीक्षण अभियंता", "superintending engineer"),
        "revenue_officer": ("राजस्व अधिकारी", "revenue officer"),
        "cashier": ("रोकड़िया", "cashier"),
        "lineman": ("लाइनमैन", "lineman"),
        "vigilance": ("सतर्कता अधिकारी", "vigilance officer"),
    },
    "order states": {
        "proposed": ("प्रस्तावित", "proposed"),
        "authorised": ("अधिकृत", "authorised"),
        "claimed": ("हाथ में", "claimed"),
        "sent": ("भेजा गया", "sent"),
        "unknown": ("अज्ञात", "unknown"),
        "confirmed": ("पुष्ट", "confirmed"),
        "field_task": ("लाइनमैन कार्य", "field task"),
        "cancelled": ("रद्द", "cancelled"),
        "quarantined": ("अलग रखा गया", "quarantined"),
        "refused": ("अस्वीकृत", "refused"),
        "expired": ("समय-समाप्त", "expired"),
    },
    "drive states": {
        "proposed": ("प्रस्तावित", "proposed"),
        "authorised": ("अधिकृत", "authorised"),
        "running": ("चालू", "running"),
        "paused": ("रुका हुआ", "paused"),
        "stopped": ("समाप्त किया गया", "stopped"),
        "finished": ("पूर्ण", "finished"),
        "expired": ("समय-समाप्त", "expired"),
    },
    "grounds": {
        "nonpayment_s56": ("बकाया, धारा 56", "non-payment, section 56"),
        "prepaid": ("प्रीपेड शेष समाप्त", "prepaid balance used up"),
        "theft_s135": ("चोरी, धारा 135", "theft, section 135"),
        "own_request": ("स्वयं का अनुरोध", "own request"),
        "safety": ("सुरक्षा", "safety"),
    },
    "verdicts": {
        "cut": ("विच्छेदन योग्य", "may be cut"),
        "no_policy": ("कोई नीति लागू नहीं", "no policy in force"),
        "held": ("रोक लगी है", "a hold is in force"),
        "notice_not_served": ("15 स्पष्ट दिन की लिखित सूचना तामील नहीं", "no written notice of 15 clear days served"),
        "due_below_minimum": ("लागू बकाया न्यूनतम से अधिक नहीं", "enforceable due not over the minimum"),
        "reminders_not_delivered": ("एसएमएस स्मरण पूरे नहीं पहुँचे", "reminders not all delivered"),
        "no_meter": ("स्मार्ट मीटर नहीं", "no smart meter"),
        "no_relay": ("मीटर में रिले नहीं", "the meter has no relay"),
        "order_open": ("एक आदेश पहले से खुला है", "an order is open already"),
        "off_already": ("बिजली पहले से विच्छेदित", "supply off already"),
    },
    "reasons": {
        "paid": ("भुगतान हो गया", "paid"),
        "held": ("रोक लगी है", "a hold is in force"),
        "restore_ordered": ("पुनर्संयोजन का आदेश हुआ", "a restore was ordered"),
        "drive_stopped": ("अभियान समाप्त किया गया", "the drive was stopped"),
        "warrant_expired": ("अधिपत्र का समय समाप्त", "the warrant's time is over"),
        "warrant_stopped": ("इंटरलॉक ने अभियान रोका", "the interlock stopped the drive"),
        "fence_moved": ("हस्ताक्षर के बाद खाता बदल गया", "the account changed after the signatures"),
        "drive_not_running": ("अभियान चालू नहीं", "the drive does not run"),
        "canary_not_passed": ("पहली टोली की जाँच पूरी नहीं", "the canary has not passed"),
        "outside_window": ("विच्छेदन के समय से बाहर", "outside the window for cuts"),
        "sent_twice": ("दो बार भेजा जा चुका", "sent twice already"),
        "cut_within_24_hours": ("24 घंटे में एक विच्छेदन हो चुका", "cut once within 24 hours"),
        "cap_drive": ("अभियान की सीमा पूरी", "cap of the drive reached"),
        "cap_circle_hour": ("वृत्त की घंटे की सीमा पूरी", "hourly cap of the circle reached"),
        "cap_state_hour": ("राज्य की घंटे की सीमा पूरी", "hourly cap of the state reached"),
        "cap_day": ("दिन की सीमा पूरी", "daily cap reached"),
        "cap_transformer": ("ट्रांसफार्मर की सीमा पूरी", "cap of the transformer reached"),
        "cap_feeder": ("फीडर की सीमा पूरी", "cap of the feeder reached"),
        "cap_unknown": ("सीमा ज्ञात नहीं", "a cap is not known"),
    },
    "holds": {
        "life_support": ("जीवन-रक्षक उपकरण", "life support"),
        "hospital": ("अस्पताल", "hospital"),
        "water_works": ("जल प्रदाय", "water works"),
        "court_stay": ("न्यायालय का स्थगन", "court stay"),
        "deposit_under_protest": ("विरोध सहित जमा", "deposit under protest"),
        "complaint": ("शिकायत लंबित", "open complaint"),
        "payment_pending": ("भुगतान प्रक्रिया में", "payment pending"),
        "examination": ("परीक्षा", "examination"),
        "heat_warning": ("लू की चेतावनी", "heat warning"),
        "flood_warning": ("बाढ़ की चेतावनी", "flood warning"),
        "instalment_plan": ("किस्त योजना", "instalment plan"),
    },
    "alerts": {
        "forced_close": ("विच्छेदित मीटर बिना आदेश चालू", "a cut meter was closed without an order"),
        "current_bypass": ("धारा बाइपास", "current bypassed"),
        "magnet": ("चुंबकीय प्रभाव", "magnetic influence"),
        "neutral_disturbance": ("न्यूट्रल में गड़बड़ी", "neutral disturbed"),
        "cover_open": ("मीटर का ढक्कन खुला", "meter cover open"),
    },
    "channels": {
        "counter": ("काउंटर", "counter"),
        "upi": ("यूपीआई", "UPI"),
        "bbps": ("बीबीपीएस", "BBPS"),
        "card": ("कार्ड", "card"),
        "bank": ("बैंक", "bank"),
    },
    "message kinds": {
        "reminder": ("बकाया स्मरण", "reminder of dues"),
        "cut": ("विच्छेदन की सूचना", "told of the cut"),
        "restored": ("बहाली की सूचना", "told of the restoration"),
        "payment": ("भुगतान की पावती", "receipt of a payment"),
    },
    "deliveries": {
        "queued": ("प्रतीक्षा में", "queued"),
        "sent": ("भेजा गया", "sent"),
        "delivered": ("पहुँचा", "delivered"),
        "failed": ("नहीं पहुँचा", "failed"),
        "withdrawn": ("वापस लिया गया", "withdrawn"),
    },
}


def word(section: str, code: str, language: Language) -> str:
    """A code as a person reads it.

    :raises KeyError: no such section or code.
    """
    hindi, english = WORDS[section][code]
    return hindi if language == "hi" else english
