"""WhatsApp: messages by templates through the business platform's HTTP interface, and what becomes of them."""
