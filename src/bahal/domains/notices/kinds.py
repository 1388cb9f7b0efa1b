"""The kinds of message, their channels and what befalls them; plain, so that it is read without a database."""

MESSAGE_KINDS = ("reminder", "cut", "restored", "payment", "statutory", "sign_in")
DELIVERIES = ("queued", "listed", "sent", "delivered", "failed", "expired", "withdrawn")
CHANNELS = ("sms", "whatsapp", "letter", "hand")
"""By what a consumer is told, in the order in which they are tried unless a policy says otherwise."""

TO_A_PHONE = ("sms", "whatsapp")
MACHINES = ("statutory", "reminder")
EVENTS = ("asked", "taken", "delivered", "failed", "expired", "withdrawn")
"""What a step tells: an attempt was asked for, its provider took it, it arrived, it did not, no receipt came in time,
it was taken back because nothing was owed any more."""
