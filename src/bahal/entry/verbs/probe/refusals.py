"""What a probe refuses, and what a meter refuses it."""

from __future__ import annotations

from bahal.shared.errors import ENVIRONMENT, REFUSED, USAGE, Refusal


class AddressWrong(Refusal):
    """Not HOST:PORT."""

    code = "address_wrong"
    exit_code = USAGE
    hi = "`{given}` पता नहीं है: HOST:PORT दें, जैसे 127.16.0.1:4059।"
    en = "`{given}` is not an address: give HOST:PORT, such as 127.16.0.1:4059."


class AskedWrong(Refusal):
    """The words after the address are no question that a probe puts."""

    code = "probe_asked_wrong"
    exit_code = USAGE
    hi = "`{given}` समझ में नहीं आया: get CLASS OBIS ATTR, objects, clock या profile OBIS|NAME दें।"
    en = "`{given}` was not understood: ask get CLASS OBIS ATTR, objects, clock or profile OBIS|NAME."


class SelectionWrong(Refusal):
    """A range or entries that name no rows, or where there are no rows."""

    code = "probe_selection_wrong"
    exit_code = USAGE
    hi = "पंक्तियों का चुनाव `{given}` ग़लत है: {why}"
    en = "The choice of rows `{given}` is wrong: {why}"


class ProfileUnknown(Refusal):
    """Neither a logical name nor a profile of the catalogue."""

    code = "profile_unknown"
    exit_code = USAGE
    hi = "`{given}` नाम की प्रोफ़ाइल नहीं: OBIS दें, या {known} में से चुनें।"
    en = "There is no profile called `{given}`: give its OBIS, or one of {known}."


class FileUnreadable(Refusal):
    """The meter's file is not there, or not TOML. Its text is not repeated: it may hold keys."""

    code = "meter_file_unreadable"
    exit_code = USAGE
    hi = "{file} पढ़ी नहीं जा सकी: {why}"
    en = "{file} cannot be read: {why}"


class FileKeyUnknown(Refusal):
    """A key of the meter's file that means nothing."""

    code = "meter_file_key_unknown"
    exit_code = USAGE
    hi = "{file}: `{key}` नाम की कोई कुंजी नहीं है; ये हैं: {known}।"
    en = "{file}: there is no key `{key}`; these are known: {known}."


class FileKeyWrong(Refusal):
    """A key of the meter's file whose value cannot be, or that is missing. The value is not repeated."""

    code = "meter_file_key_wrong"
    exit_code = USAGE
    hi = "{file}: `{key}` का मान यह होना चाहिए: {wanted}।"
    en = "{file}: `{key}` must be: {wanted}."


class FileStands(Refusal):
    """A file is not written over: it may hold keys."""

    code = "meter_file_stands"
    hi = "{file} पहले से है; उस पर नहीं लिखा जाता।"
    en = "{file} exists already and is not written over."


class MeterSilent(Refusal):
    """No connection, or no answer in time."""

    code = "meter_silent"
    exit_code = ENVIRONMENT
    hi = "{address} पर मीटर ने उत्तर नहीं दिया: {why}"
    en = "The meter at {address} does not answer: {why}"


class MeterMisspoke(Refusal):
    """The meter's bytes are not what the protocol wants; `name` is the error's."""

    code = "meter_misspoke"
    exit_code = REFUSED
    hi = "{address} का उत्तर नियम के अनुसार नहीं है ({name}): {why}"
    en = "The answer of {address} is against the protocol ({name}): {why}"


class MeterRefusesUs(Refusal):
    """The association, or the service as such, is refused: wrong client, password, key or counter."""

    code = "meter_refuses_us"
    hi = "{address} का मीटर मना करता है ({name}): {why}। client, mechanism, security, पासवर्ड और कुंजियाँ जाँचें।"
    en = "The meter at {address} refuses ({name}): {why}. Check client, mechanism, security, password and keys."


class MeterRefusesRead(Refusal):
    """A GET refused with a data-access-result."""

    code = "meter_refuses_read"
    hi = "मीटर {what} पढ़ने नहीं देता: {result} ({name})"
    en = "The meter does not let {what} be read: {result} ({name})"


class CannotAsk(Refusal):
    """Our own side cannot put the question: settings that contradict each other, no counter left."""

    code = "probe_cannot_ask"
    exit_code = USAGE
    hi = "ऐसे पूछा नहीं जा सकता ({name}): {why}"
    en = "It cannot be asked so ({name}): {why}"


class NotARead(Refusal):
    """Something else than a read was about to leave: it did not."""

    code = "probe_reads_only"
    hi = "probe केवल पढ़ता है; {what} नहीं भेजा गया।"
    en = "A probe only reads; {what} was not sent."


class CounterUnknown(Refusal):
    """No invocation counter to begin with."""

    code = "invocation_counter_unknown"
    hi = "मीटर अपना काउंटर नहीं बताता ({why}); फ़ाइल में counter दें।"
    en = "The meter does not tell its invocation counter ({why}); give counter in the file."


class CounterJumps(Refusal):
    """The counter that the meter tells lies far above what was used: unauthenticated, and a forged one locks us out."""

    code = "invocation_counter_jumps"
    hi = "मीटर का काउंटर {told} भरोसे का नहीं: अब तक {used} इस्तेमाल हुए। सही हो तो फ़ाइल में counter दें।"
    en = "The meter tells counter {told}, not to be trusted after {used}. If it is right, give counter in the file."


class CounterBusy(Refusal):
    """Another probe works with the same counters."""

    code = "invocation_counter_busy"
    exit_code = ENVIRONMENT
    hi = "{file} के काउंटर अभी दूसरा probe ले रहा है।"
    en = "Another probe is using the counters of {file}."


class CounterFileWrong(Refusal):
    """The counter's file cannot be read, and a guess could repeat a nonce."""

    code = "invocation_counter_file_wrong"
    exit_code = ENVIRONMENT
    hi = "{file} पढ़ी नहीं जा सकी; अंदाज़ा नहीं लगाया जाता।"
    en = "{file} cannot be read, and a counter is never guessed."


class CounterSpent(Refusal):
    """No counters left under this key."""

    code = "invocation_counter_spent"
    hi = "इस कुंजी के काउंटर समाप्त हैं ({used}); कुंजी बदलनी होगी।"
    en = "The counters of this key are used up ({used}); the key must be changed."
