"""SMTP: receiving mail (RFC 5321) and submission (RFC 6409).

Read `grammar` (octets to values) and `replies` (all that the server can say), then `session`, then a command such as
`commands/rcpt.py`; `data` finds the end of a message and `incoming` makes it ours, however it comes; `pace` is the patience with
its sender, and `authors` says who may stand in its From. Each extension is a file of `extensions/`, named as EHLO announces it;
`dialect` sums them into one table. `factory` is the one file that knows Twisted.
"""
