"""IMAP4rev1 (RFC 3501): mailboxes read and changed by many clients at once.

Read `values` (what a command may speak of), `grammar` (octets to values; `search_keys` for SEARCH), `responses` (values to octets;
mailbox names travel as `names` says, in `utf7` or UTF-8), then `view` (what one client believes of its mailbox, and what it may be told when).
`session` is what is special in IMAP; it reads by `reading`, with literals bounded by `literal`, shows no `secrets`, and says no by
`refusals`. Then `commands/fetch` for the longest of the commands: `fetching` carries it out, `sections` finds the octets.
`searching` carries out SEARCH, over `search_text`; LIST looks at `hierarchy` by `wildcards`. `turns` lets others go on in long
loops, `stored` tells the log. `dialect` sums commands and extensions into the tables; `factory` accepts connections.

RFC 3501 is the base; `extensions/` has one file for each capability beyond it.
"""
