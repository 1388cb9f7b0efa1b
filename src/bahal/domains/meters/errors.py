"""What the meters refuse."""

from bahal.shared.errors import Refusal


class NoMeter(Refusal):
    """The connection has no smart meter."""

    code = "no_meter"
    hi = "कनेक्शन {connection} पर कोई स्मार्ट मीटर नहीं है।"
    en = "Connection {connection} has no smart meter."


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
