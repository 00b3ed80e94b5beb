"""IMAP4rev1 (RFC 3501): mailboxes read and changed by many clients at once.

Read `values` (what a command may speak of), `grammar` (octets to values), `responses` (values to octets; mailbox names travel
as `names` says, in `utf7` or UTF-8), then `view` (what one client believes of its mailbox, and what it may be told when), `session` (what is special in
IMAP), and `commands/fetch` for the longest of the commands. `literal` bounds what is taken into memory before it is
understood; `fetching` and `searching` carry out what FETCH and SEARCH ask, `hierarchy` and `wildcards` are LIST's; `stored` tells
the log what was done to mailboxes; `turns` lets others have theirs. `dialect` sums commands and extensions into the
tables; `factory` accepts connections.

RFC 3501 is the base; `extensions/` has one file for each capability beyond it.
"""
