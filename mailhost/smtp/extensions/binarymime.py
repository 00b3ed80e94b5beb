"""BINARYMIME: content of any octets, in chunks only (RFC 3030 section 3). `delivery.arrival` makes the form for who cannot read it."""

from mailhost.smtp.envelope import BINARY
from mailhost.smtp.extensions.eightbitmime import body
from mailhost.smtp.extensions.extension import Extension, always

EXTENSION = Extension("BINARYMIME", 3030, always("BINARYMIME"), mail={"BODY": body}, bodies=(BINARY,), needs="CHUNKING")
