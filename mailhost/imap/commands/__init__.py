"""The commands of RFC 3501, one file each; `ALL` lists them in the order of its section 6."""
