"""Messages as octets: RFC 5322 and MIME, without I/O and without a clock.

Read `structure.py` first: one pass over a message at acceptance gives all that IMAP lists later. Under it stand
`media.py` (Content-Type and its neighbours), `envelope.py` and `address_list.py` (RFC 3501 section 7.4.2), `parts.py`
(where each section begins and ends) and the words they share: `lexical.py`, `quoting.py`, `budget.py`.
Beside it: `headers.py` (fields by name), `dates.py`, `address.py` (RFC 5321 mailboxes), `received.py` (trace fields).
For clients that cannot take a message as it came: `surrogate.py` (how it is rewritten), `unbinary.py` (its binary parts, RFC 3030),
`downgrade.py` (its headers in UTF-8, RFC 6857) with `downgrade_addresses.py`, `downgrade_parameters.py`, `encoded_words.py`.
For SEARCH: `header_text.py` (what fields say to people), `charsets.py` and `word_reader.py` (octets and encoded words to text).
"""
