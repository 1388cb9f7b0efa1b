"""What the meters refuse."""

from bahal.shared.errors import Refusal


class NoMeter(Refusal):
    """The connection has no smart meter."""

    code = "no_meter"
    hi = "कनेक्शन {connection} पर कोई स्मार्ट मीटर नहीं है।"
    en = "Connection {connection} has no smart meter."


class NoClockLimits(Refusal):
    """No interlock has stated signed limits: none sets a clock."""

    code = "no_clock_limits"
    hi = "इंटरलॉक ने घड़ी मिलाने की कोई हस्ताक्षरित सीमा नहीं बताई है: कोई घड़ी नहीं मिलाई जाएगी।"
    en = "No interlock has stated signed limits for clocks: no clock is set."


class ClockOfficerWrong(Refusal):
    """Only an executive or a superintending engineer orders that a clock be set."""

    code = "clock_officer_wrong"
    hi = "{login} ({role}) घड़ी मिलाने का आदेश नहीं दे सकते।"
    en = "{login} ({role}) may not order that a clock be set."


class ClockUnmeasured(Refusal):
    """The head-end has not compared this clock lately."""

    code = "clock_unmeasured"
    hi = "मीटर {meter} की घड़ी हाल में नहीं देखी गई: पहले `bahal read {meter} now` चलाएँ।"
    en = "The clock of meter {meter} was not compared lately: run `bahal read {meter} now` first."


class ClockGoodEnough(Refusal):
    """The clock is not off by as much as is worth an order."""

    code = "clock_good_enough"
    hi = "मीटर {meter} की घड़ी {drift_s} सेकंड ही अलग है; {least_s} सेकंड से कम पर आदेश नहीं।"
    en = "The clock of meter {meter} is only {drift_s} s off; below {least_s} s nothing is ordered."


class ClockTooFar(Refusal):
    """A clock so far off has failed or was tampered with: a person goes."""

    code = "clock_too_far"
    hi = "मीटर {meter} की घड़ी {drift_s} सेकंड अलग है, सीमा {farthest_s}: मीटर को जाकर देखें।"
    en = "The clock of meter {meter} is {drift_s} s off, the limit is {farthest_s}: look at the meter."


class ClockOrderOpen(Refusal):
    """An order for this clock is open already."""

    code = "clock_order_open"
    hi = "मीटर {meter} की घड़ी का आदेश {order} पहले से खुला है।"
    en = "Order {order} for the clock of meter {meter} is open already."


class NoClockOrder(Refusal):
    """No order for this clock can be withdrawn: there is none, or the interlock has it in hand."""

    code = "no_clock_order"
    hi = "मीटर {meter} की घड़ी का कोई आदेश वापस नहीं लिया जा सकता।"
    en = "There is no order for the clock of meter {meter} that can be withdrawn."


class MeterFileMalformed(Refusal):
    """The file's first line does not name the columns."""

    code = "meter_file_malformed"
    hi = "फ़ाइल की पहली पंक्ति में ये स्तंभ नहीं हैं: {missing}।"
    en = "The first line of the file lacks the columns: {missing}."


class MeterRowMalformed(Refusal):
    """A row's field is not what it should be. The field's content is not repeated: it may be a key."""

    code = "meter_row_malformed"
    hi = "स्तंभ `{field}` ठीक नहीं: {want} चाहिए।"
    en = "The column `{field}` is wrong: it should be {want}."


class SimFileMalformed(Refusal):
    """The first line of a SIM file does not name the columns."""

    code = "sim_file_malformed"
    hi = "सिम फ़ाइल की पहली पंक्ति में ये स्तंभ नहीं हैं: {missing}।"
    en = "The first line of the SIM file lacks the columns: {missing}."


class SimRowMalformed(Refusal):
    """A field of a SIM's row is not what it should be."""

    code = "sim_row_malformed"
    hi = "सिम का स्तंभ `{field}` ठीक नहीं: {want} चाहिए।"
    en = "The SIM's column `{field}` is wrong: it should be {want}."


class SimMeterUnknown(Refusal):
    """A SIM stands in a meter that is not imported."""

    code = "sim_meter_unknown"
    hi = "मीटर {meter} दर्ज नहीं है: पहले मीटर जोड़ें।"
    en = "Meter {meter} is not imported: import the meter first."


class SimTaken(Refusal):
    """A SIM, a number and a meter go together one to one; a file says twice what contradicts itself."""

    code = "sim_taken"
    hi = "सिम {iccid}: {field} {there} पर पहले से दर्ज है।"
    en = "SIM {iccid}: its {field} is recorded already for {there}."


class MeterKnown(Refusal):
    """A meter is imported once; its keys and address are not replaced by a file."""

    code = "meter_known"
    hi = "मीटर {meter} पहले से है।"
    en = "Meter {meter} is imported already."


class SystemTitleKnown(Refusal):
    """Two meters with one system title would share their nonces."""

    code = "system_title_known"
    hi = "सिस्टम टाइटल {system_title} दूसरे मीटर का है।"
    en = "The system title {system_title} belongs to another meter."


class KeyRepeated(Refusal):
    """Two meters with one key: who opens one opens both. The key itself is not repeated here."""

    code = "meter_key_repeated"
    hi = "मीटर {meter} की रिले चाबी इसी फ़ाइल में दूसरे मीटर की भी है: निर्माता से नई चाबी लें।"
    en = "The relay key of meter {meter} is another meter's too in this file: ask its maker for a key of its own."


class MeterWithoutConnection(Refusal):
    """Neither the row nor an earlier one says on which connection the meter hangs."""

    code = "meter_without_connection"
    hi = "मीटर {meter} किस कनेक्शन पर है, यह न फ़ाइल में है न पहले से दर्ज।"
    en = "Neither the file nor an earlier record says on which connection meter {meter} is."


class ConnectionTaken(Refusal):
    """A connection has one meter, and a meter one connection."""

    code = "connection_taken"
    hi = "मीटर {meter} कनेक्शन {connection} पर नहीं लग सकता: वहाँ {there} दर्ज है।"
    en = "Meter {meter} cannot be put on connection {connection}: {there} is recorded there."


class MismatchUnknown(Refusal):
    """No such mismatch is open, or a report's is, which is settled with the report."""

    code = "mismatch_unknown"
    hi = "बेमेल {mismatch} खुला नहीं है।"
    en = "No mismatch {mismatch} is open."
