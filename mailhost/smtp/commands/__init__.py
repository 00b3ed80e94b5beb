"""The commands of RFC 5321 section 4.1.1, one file each."""
