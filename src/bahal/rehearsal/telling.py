"""How the story is told in the terminal while it happens, in Hindi or English."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bahal.shared.money import rupees
from bahal.shared.text import Language

SENTENCES: dict[str, tuple[str, str]] = {
    "opening": ("बहाल शुरू हो रहा है: {home}", "Bahal is starting: {home}"),
    "opened": ("सब प्रक्रियाएँ चल रही हैं", "All rooms are running"),
    "circle": (
        "बिलासपुर वृत्त: {connections} कनेक्शन, {divisions} संभाग, {feeders} फीडर, {transformers} ट्रांसफार्मर",
        "Bilaspur circle: {connections} connections, {divisions} divisions, {feeders} feeders,"
        " {transformers} transformers",
    ),
    "imported": (
        "{meters} मीटर जुड़े; उनकी चाबियाँ केवल इंटरलॉक खोल सकता है",
        "{meters} meters imported; only the interlock can open their keys",
    ),
    "met": (
        "{complete}/{meters} मीटर DLMS से पहली बार पढ़े गए: पहचान और पिछली बिलिंग तिथियों के रजिस्टर ({seconds} से.)",
        "{complete} of {meters} meters read over DLMS for the first time: nameplates and billing dates ({seconds} s)",
    ),
    "read": (
        "सोमवार भोर: {of} में से {meters} मीटरों का सप्ताह पढ़ा गया, आधे-आधे घंटे ({seconds} से.)",
        "Monday before dawn: the week of {meters} of {of} meters is read, half hour by half hour ({seconds} s)",
    ),
    "looked": (
        "{meter_days} मीटर-दिन जाँचे, {estimated} में अनुमान; घटती खपत की {falling} चेतावनियाँ; सबसे अधिक हानि: {worst}",
        "{meter_days} meter-days validated, estimates in {estimated}; {falling} warnings of falling consumption; most"
        " lost: {worst}",
    ),
    "notices": (
        "{defaulters} कनेक्शनों पर ₹5,000 से अधिक बकाया, लिखित सूचना {days} पूरे दिन पहले तामील",
        "{defaulters} connections owe more than ₹5,000, written notice served at least {days} clear days ago",
    ),
    "reminded": ("{day}: {sent} SMS भेजे, {delivered} पहुँचे", "{day}: {sent} SMS sent, {delivered} delivered"),
    "dropped": (
        "{count} ने बीच में चुकाया और सूची से बाहर हुए ({paise})",
        "{count} paid in between and left the list ({paise})",
    ),
    "proposed": (
        "{maker} ने {orders} कनेक्शन, {paise} का अभियान प्रस्तावित किया (सूची {sha})",
        "{maker} proposed a drive of {orders} connections, {paise} (list {sha})",
    ),
    "what_if": (
        "क्या होता यदि: बिना सूचना और रोक की नीति {would_cut} काटती, {would_recover_paise} के लिए; "
        "वर्तमान नीति {present_cuts}; {wrong} विच्छेदन गलत होते",
        "What if: a policy without notice and holds would cut {would_cut} for {would_recover_paise}; "
        "the present one cuts {present_cuts}; {wrong} of them would be wrong",
    ),
    "excluded": ("सूची से बाहर, कारण सहित: {reasons}", "Left out, with the reason: {reasons}"),
    "signed": ("{checker} ने दूसरा हस्ताक्षर किया", "{checker} gave the second signature"),
    "running": (
        "सोमवार {at}: अभियान शुरू, पहले {canary} की परख",
        "Monday {at}: the drive runs, a canary of {canary} first",
    ),
    "cut_done": (
        "{confirmed} कटे और मीटर से जाँचे गए, {cancelled} काटने से पहले चुका चुके, {seconds} से.",
        "{confirmed} cut and read back, {cancelled} had paid before their cut, {seconds} s",
    ),
    "paid_done": (
        "{count} ने काउंटर पर {paise} चुकाए; {restored} की बिजली बहाल और जाँची गई",
        "{count} paid {paise} at the counter; {restored} restored and read back",
    ),
    "forced": (
        "कनेक्शन {connection} ने बिना भुगतान मीटर चालू किया: चेतावनी {seconds} से. में",
        "Connection {connection} closed his meter without paying: alert after {seconds} s",
    ),
    "closing": ("प्रक्रियाएँ बंद हो रही हैं", "The rooms are draining"),
    "kept": ("बहाल चलता रहेगा: {web} (`bahal down` से रोकें)", "Bahal keeps running: {web} (stop it with `bahal down`)"),
    "billed": (
        "{bills} बिल {months} महीनों के पठनों से बने, कुल {paise}; दरों का उत्तरदायित्व {officer} ने लिया",
        "{bills} bills made from the registers of {months} months, {paise} in all; {officer} answered for the rates",
    ),
    "evidence": (
        "एक उपभोक्ता का साक्ष्य: {path}; बिना हमारे जाँचा: {verdict}",
        "One consumer's evidence: {path}; checked without us: {verdict}",
    ),
    "papers": ("कागज़ पर: {files}", "On paper: {files}"),
    "written": ("प्रतिवेदन: {path}", "Report: {path}"),
}

HEADINGS: dict[str, tuple[str, str]] = {
    "division": ("संभाग", "Division"),
    "orders": ("आदेश", "Orders"),
    "sent": ("भेजे", "Sent"),
    "confirmed": ("कटे, जाँचे", "Cut, read back"),
    "cancelled": ("चुकाया", "Paid first"),
    "other": ("अन्य", "Other"),
    "payments": ("भुगतान", "Payments"),
    "restored": ("बहाल", "Restored"),
    "reading": ("मीटर पढ़े गए", "Meters read"),
}


class Teller:
    """Prints the story line by line; `board` shows the drive by division as it runs. Silent when `quiet`."""

    def __init__(self, language: Language, *, quiet: bool = False) -> None:
        self.language = language
        self.console = Console(quiet=quiet, highlight=False, stderr=True)
        self._began = time.monotonic()
        self._live: Live | None = None

    def say(self, sentence: str, **data: Any) -> None:
        """One line of the story, with the seconds since it began."""
        shown = {name: rupees(value) if name.endswith("paise") else value for name, value in data.items()}
        words = SENTENCES[sentence][0 if self.language == "hi" else 1].format_map(shown)
        self.console.print(Text.assemble((f"{time.monotonic() - self._began:6.1f} s  ", "dim"), words))

    def word(self, heading: str) -> str:
        """A heading in the reader's language."""
        return HEADINGS[heading][0 if self.language == "hi" else 1]

    def board(self, divisions: Sequence[Mapping[str, Any]], *, payments: int, payers: int, restored: int) -> None:
        """Show the drive's state: one row per division, and the payments beside it."""
        table = Table(box=None, pad_edge=False)
        table.add_column(self.word("division"))
        for heading in ("orders", "sent", "confirmed", "cancelled", "other"):
            table.add_column(self.word(heading), justify="right")
        for row in divisions:
            numbers = [str(row[key]) for key in ("orders", "sent", "confirmed", "cancelled", "other")]
            table.add_row(str(row[f"name_{self.language}"]), *numbers)
        total = sum(int(row["orders"]) for row in divisions)
        ended = sum(int(row["confirmed"]) + int(row["cancelled"]) + int(row["other"]) for row in divisions)
        parts: list[RenderableType] = [table, ProgressBar(total=max(1, total), completed=ended, width=60)]
        parts.append(Text(f"{self.word('payments')} {payments}/{payers}   {self.word('restored')} {restored}"))
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, refresh_per_second=8)
            self._live.start()
        self._live.update(Group(*parts))

    def reading(self, done: int, meters: int) -> None:
        """Show how many meters have been read."""
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, refresh_per_second=8)
            self._live.start()
        bar = ProgressBar(total=max(1, meters), completed=min(done, meters), width=60)
        self._live.update(Group(bar, Text(f"{self.word('reading')} {min(done, meters)}/{meters}")))

    def close_board(self) -> None:
        """Leave the board; the lines that follow stand on their own."""
        if self._live is not None:
            self._live.stop()
            self._live = None
