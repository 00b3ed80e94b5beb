"""The commands of RFC 3501, one file each; `dialect.BASE` lists them in the order of its section 6."""
