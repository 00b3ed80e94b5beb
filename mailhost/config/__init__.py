"""The settings: each is declared once, with type, unit, default and reason.

Read `settings` (all there is to set), then `units` (how "5m" and "64KiB" are read), `load` (a file becomes a `Config`, or
one line says what is wrong with it), `manual` (etc/mailhost.toml is made from the declarations) and `edit` (set one value
in a file that a person keeps).
"""
