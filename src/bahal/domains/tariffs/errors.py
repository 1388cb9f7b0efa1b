"""What the tariffs refuse: a bad file by file, path and line; determinants that cannot be rated; a change by one."""

from bahal.shared.errors import USAGE, Refusal


class TariffFileUnreadable(Refusal):
    """The file is not TOML."""

    code = "tariff_file_unreadable"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}: TOML नहीं पढ़ा गया ({why})।"
    en = "Tariff file {file}, line {line}: it cannot be read as TOML ({why})."


class TariffKeyUnknown(Refusal):
    """A key that nothing reads would be a rate that nobody charges."""

    code = "tariff_key_unknown"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: `{key}` नाम की कोई कुंजी नहीं होती।"
    en = "Tariff file {file}, line {line}, {path}: there is no key `{key}`."


class TariffKeyMissing(Refusal):
    """A key that must be there."""

    code = "tariff_key_missing"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: `{key}` नहीं दिया गया।"
    en = "Tariff file {file}, line {line}, {path}: `{key}` is missing."


class TariffValueWrong(Refusal):
    """A value of the wrong kind, or finer than the engine counts."""

    code = "tariff_value_wrong"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: `{key}` का मान ठीक नहीं ({why})।"
    en = "Tariff file {file}, line {line}, {path}: the value of `{key}` is wrong ({why})."


class TariffRuleUnknown(Refusal):
    """No such rule."""

    code = "tariff_rule_unknown"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: `{rule}` नियम नहीं है; ये हैं: {rules}।"
    en = "Tariff file {file}, line {line}, {path}: there is no rule `{rule}`; the rules are: {rules}."


class TariffSlabsWrong(Refusal):
    """Slabs rise, and the last alone is open."""

    code = "tariff_slabs_wrong"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: स्लैब क्रम से बढ़ने चाहिए और केवल अंतिम खुला हो।"
    en = "Tariff file {file}, line {line}, {path}: slabs must rise, and only the last is open."


class TariffSourceMissing(Refusal):
    """Every rate names where it was seen."""

    code = "tariff_source_missing"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: दर का स्रोत नहीं बताया गया।"
    en = "Tariff file {file}, line {line}, {path}: the rate names no source."


class TariffGap(Refusal):
    """Rows of one charge follow one another without a gap."""

    code = "tariff_gap"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: {gap_from} से {gap_to} तक कोई दर नहीं।"
    en = "Tariff file {file}, line {line}, {path}: no rate from {gap_from} to {gap_to}."


class TariffOverlap(Refusal):
    """Two rows of one charge, or two schedules of one family, are in force on one day."""

    code = "tariff_overlap"
    hi = "टैरिफ फ़ाइल {file}, पंक्ति {line}, {path}: {other} भी {day} को लागू है।"
    en = "Tariff file {file}, line {line}, {path}: {other} is in force on {day} too."


class ScheduleUnknown(Refusal):
    """No schedule has this name."""

    code = "schedule_unknown"
    exit_code = USAGE
    hi = "`{schedule}` नाम की टैरिफ अनुसूची नहीं है; ये हैं: {schedules}।"
    en = "There is no tariff schedule `{schedule}`; these are: {schedules}."


class CategoryUnknown(Refusal):
    """No schedule has this category."""

    code = "category_unknown"
    exit_code = USAGE
    hi = "`{category}` श्रेणी किसी टैरिफ में नहीं है; ये हैं: {categories}।"
    en = "No tariff has the category `{category}`; these are: {categories}."


class NoTariff(Refusal):
    """On some day of the period no schedule is in force: nothing is guessed."""

    code = "no_tariff"
    hi = "{day} को {category} श्रेणी के लिए कोई टैरिफ लागू नहीं।"
    en = "No tariff is in force for {category} on {day}."


class PeriodEmpty(Refusal):
    """A period ends after it begins."""

    code = "period_empty"
    exit_code = USAGE
    hi = "अवधि ठीक नहीं: {end} का दिन {start} के बाद होना चाहिए।"
    en = "The period is wrong: {end} must come after {start}."


class UnitsNegative(Refusal):
    """Nobody uses less than nothing; what he gives back is export."""

    code = "units_negative"
    exit_code = USAGE
    hi = "खपत ऋणात्मक नहीं हो सकती ({what}: {wh} Wh)।"
    en = "Consumption cannot be negative ({what}: {wh} Wh)."


class UsesDoNotCover(Refusal):
    """A day without a reading behind it."""

    code = "uses_do_not_cover"
    hi = "{day} की खपत नहीं दी गई।"
    en = "No consumption is given for {day}."


class UsesOverlap(Refusal):
    """Two different readings of one day."""

    code = "uses_overlap"
    hi = "{day} की खपत दो बार, अलग-अलग दी गई है।"
    en = "Consumption of {day} is given twice, and not the same."


class FactsDoNotCover(Refusal):
    """A day on which nobody knows the category."""

    code = "facts_do_not_cover"
    hi = "{day} को कनेक्शन की श्रेणी और भार ज्ञात नहीं।"
    en = "Category and load of the connection are not known on {day}."


class FactsOverlap(Refusal):
    """Two different facts of one day."""

    code = "facts_overlap"
    hi = "{day} के लिए कनेक्शन के दो अलग विवरण हैं।"
    en = "There are two different accounts of the connection on {day}."


class DeterminantWrong(Refusal):
    """A determinant out of its range."""

    code = "determinant_wrong"
    exit_code = USAGE
    hi = "`{what}` का मान {given} नहीं हो सकता ({allowed})।"
    en = "`{what}` cannot be {given} ({allowed})."


class ExportNotRated(Refusal):
    """This category's tariff says nothing about energy given back."""

    code = "export_not_rated"
    hi = "{day} को {category} श्रेणी के टैरिफ में ग्रिड को दी गई बिजली का नियम नहीं है।"
    en = "The tariff of {category} on {day} has no rule for exported energy."


class VersionUnknown(Refusal):
    """No such proposed version."""

    code = "tariff_version_unknown"
    hi = "टैरिफ संस्करण {version} नहीं मिला।"
    en = "There is no tariff version {version}."


class VersionTaken(Refusal):
    """A name stands for one document for ever; a change is a new one."""

    code = "tariff_version_taken"
    hi = "`{name}` नाम का टैरिफ पहले से है: बदलाव नए नाम से करें।"
    en = "There is a tariff called `{name}` already: a change takes a new name."


class VersionAccepted(Refusal):
    """A version is accepted once."""

    code = "tariff_version_accepted"
    hi = "टैरिफ संस्करण {version} {accepted_by} द्वारा पहले ही स्वीकृत है।"
    en = "Tariff version {version} was accepted by {accepted_by} already."


class SameTariffOfficer(Refusal):
    """A tariff is changed by two people."""

    code = "same_tariff_officer"
    hi = "{officer} ने ही यह टैरिफ प्रस्तावित किया है: स्वीकृति किसी और अधिकारी की होनी चाहिए।"
    en = "{officer} proposed this tariff: another officer must accept it."


class OfficerMayNotSetTariff(Refusal):
    """Tariffs and rates are accepted by engineers in charge and revenue officers."""

    code = "officer_may_not_set_tariff"
    hi = "{login} ({role}) टैरिफ प्रस्तावित या स्वीकृत नहीं कर सकते।"
    en = "{login} ({role}) may not propose or accept a tariff."


class TariffReasonMissing(Refusal):
    """A tariff, and an unverified rate, is accepted for a stated reason."""

    code = "tariff_reason_missing"
    hi = "टैरिफ या दर की स्वीकृति का कारण लिखना ज़रूरी है।"
    en = "A reason must be given for accepting a tariff or a rate."


class RateUnknown(Refusal):
    """No such rate."""

    code = "rate_unknown"
    hi = "`{path}` नाम की कोई दर नहीं है।"
    en = "There is no rate `{path}`."


class RateVerified(Refusal):
    """A verified rate needs nobody's acceptance."""

    code = "rate_verified"
    hi = "दर `{path}` सत्यापित है: उसे स्वीकार करने की आवश्यकता नहीं।"
    en = "The rate `{path}` is verified and needs no acceptance."


class RateAccepted(Refusal):
    """A rate is accepted once for a document."""

    code = "rate_accepted_already"
    hi = "दर `{path}` {accepted_by} द्वारा पहले ही स्वीकार की जा चुकी है।"
    en = "The rate `{path}` was accepted by {accepted_by} already."
