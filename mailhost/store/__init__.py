"""The mailbox store: mailboxes, messages, flags, blobs, and what changed.

Read in this order: `values` (what goes in and out), `errors` (what is refused), `tables`, `names`, `mailboxes`, `subscriptions`, `messages`, `flags`,
`blobs`, `expunged`, then `changes` and `index` (what open sessions share in memory).
RFC 3501 section 2.3 (message attributes), RFC 4315 (UIDPLUS), RFC 7162 (mod-sequences), RFC 6154 (special use).
"""
