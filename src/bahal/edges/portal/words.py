"""The pay page's words, Hindi and English."""

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("बिजली बिल भुगतान", "Pay your electricity bill"),
    "consumer": ("उपभोक्ता क्रमांक", "Consumer number"),
    "due": ("देय राशि", "Due"),
    "nothing_due": ("कोई राशि देय नहीं है। आप अग्रिम जमा कर सकते हैं।", "Nothing is due. You may pay in advance."),
    "receivable": ("बिजली बिल", "Electricity bills"),
    "surcharge": ("विलंब अधिभार", "Late payment surcharge"),
    "expenses": ("विच्छेदन, पुनर्संयोजन व अन्य व्यय", "Cutting, reconnecting and other expenses"),
    "advance": ("अग्रिम जमा", "Held in advance"),
    "pending": ("चेक, बैंक में लंबित", "Cheques not yet cleared"),
    "amount": ("राशि (रुपये)", "Amount (rupees)"),
    "begin": ("यूपीआई से भुगतान करें", "Pay by UPI"),
    "scan": ("किसी भी यूपीआई ऐप से यह कोड स्कैन करें", "Scan this code with any UPI application"),
    "open": ("इस फ़ोन के यूपीआई ऐप में खोलें", "Open in a UPI application on this phone"),
    "waiting": (
        "भुगतान की पुष्टि बैंक से आने पर यहाँ रसीद दिखेगी। यह पृष्ठ स्वयं ताज़ा होता है।",
        "When the bank confirms, the receipt appears here. This page refreshes by itself.",
    ),
    "until": ("मान्य समय तक", "Valid until"),
    "reference": ("संदर्भ", "Reference"),
    "over": (
        "इस कोड का समय समाप्त हो गया। यदि राशि कट गई है तो रसीद अपने आप बनेगी; दोबारा भुगतान न करें।",
        "The time of this code is over. If your money was taken, the receipt comes by itself; do not pay again.",
    ),
    "paid": ("भुगतान प्राप्त। रसीद", "Payment received. Receipt"),
    "light": (
        "यदि बकाया के कारण बिजली बंद थी और अब कुछ देय नहीं, तो वह अपने आप बहाल होती है।",
        "If your supply was cut for dues and nothing is due now, it comes back by itself.",
    ),
    "again": ("वापस", "Back"),
    "other_language": ("English", "हिन्दी"),
    "away": (
        "बैंक इस समय उत्तर नहीं दे रहा: थोड़ी देर में फिर प्रयास करें।",
        "The bank does not answer now: try again in a moment.",
    ),
}
