"""Dates as mail writes them: RFC 5322 section 3.3 with its obsolete forms, and IMAP's own."""

import re
from datetime import UTC, date, datetime, timedelta

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
DAY_SECONDS = 86_400

_MONTH_NUMBER = {name.lower().encode(): number for number, name in enumerate(MONTHS, start=1)}
_ZONE_HOURS = {
    b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7,
}  # fmt: skip
"""RFC 5322 section 4.3; every other name counts as UTC, as it asks for the military letters."""

_CLOCK = rb"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:\.\d{1,9})?)?"
_ZONE = rb"\s*+(?:(?:GMT|UTC?)?(?P<sign>[+-])(?P<zone_hour>\d\d):?(?P<zone_minute>\d\d)|(?P<zone>[A-Za-z]{1,5}))?"
_RFC_5322 = re.compile(
    rb"\s*+(?:[A-Za-z]{2,9}\.?\s*+,?\s*+)?(?P<day>\d{1,2})[\s-]\s*+(?P<month>[A-Za-z]{3})[a-z]{0,6}[\s.,-]++"
    rb"(?P<year>\d{2,4})[\s,]\s*+" + _CLOCK + _ZONE
)
_USUAL = re.compile(
    rb"(?:[A-Z][a-z][a-z], )?([0-3]?\d) ([A-Z][a-z][a-z]) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)(?: \([A-Z]{1,5}\))?"
)
"""What nearly all senders write."""
_ASCTIME = re.compile(
    rb"\s*+(?:[A-Za-z]{3,9},?\s++)?(?P<month>[A-Za-z]{3})\s++(?P<day>\d{1,2})\s++"
    + _CLOCK
    + rb"\s++(?P<year>\d{4})"
    + _ZONE
)
_ISO_8601 = re.compile(rb"\s*+(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T\s]\s*+" + _CLOCK + _ZONE)

_IMAP_DATE_TIME = re.compile(
    rb'"?(?P<day>[ \d]?\d)-(?P<month>[A-Za-z]{3})-(?P<year>\d{4}) '
    rb'(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) (?P<sign>[+-])(?P<zone_hour>\d\d)(?P<zone_minute>\d\d)"?'
)
_IMAP_DATE = re.compile(rb'"?(\d{1,2})-([A-Za-z]{3})-(\d{4})"?')
_COMMENT = re.compile(rb"\([^()]*+\)")
_LONGEST = 200
"""No date is longer, whatever comments stand in it."""


def parse_date(text: bytes) -> int | None:
    """A Date field's moment in milliseconds since 1970 UTC; None when it can't be read."""
    if usual := _USUAL.fullmatch(text):
        return _usual_moment(*usual.group(2, 7, 1, 3, 4, 5, 6, 8, 9))
    text = text[:_LONGEST]
    if b"(" in text:
        text = _COMMENT.sub(b" ", text)
    found = _RFC_5322.match(text) or _ASCTIME.match(text) or _ISO_8601.match(text)
    return _moment(found) if found else None


def _usual_moment(month: bytes, sign: bytes, *numbers: bytes) -> int | None:
    """`_moment` in half of its time."""
    day, year, hour, minute, second, zone_hour, zone_minute = map(int, numbers)
    seconds = zone_hour * 3600 + zone_minute * 60
    return _milliseconds(
        (year, _MONTH_NUMBER.get(month.lower(), 0), day), (hour, minute, second), seconds if sign == b"+" else -seconds
    )


def _moment(found: "re.Match[bytes]") -> int | None:
    part = found.groupdict()
    month = _MONTH_NUMBER.get(part["month"].lower()) or (int(part["month"]) if part["month"].isdigit() else 0)
    clock = int(part["hour"]), int(part["minute"]), int(part["second"] or 0)
    return _milliseconds((_year(part["year"]), month, int(part["day"])), clock, _zone_seconds(part))


def _milliseconds(day: tuple[int, int, int], clock: tuple[int, int, int], zone_seconds: int) -> int | None:
    """None for what is no day, or no time of it (a leap second is one)."""
    hour, minute, second = clock
    if hour > 23 or minute > 59 or second > 60:
        return None
    try:
        days = date(*day).toordinal() - EPOCH_DAY
    except ValueError:
        return None
    return 1000 * (days * DAY_SECONDS + hour * 3600 + minute * 60 + second - zone_seconds)


def _year(digits: bytes) -> int:
    """RFC 5322 section 4.3: 00 to 49 is our century, other years of two or three digits count from 1900."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return 2000 + year
    return 1900 + year if len(digits) < 4 else year


def _zone_seconds(part: dict[str, bytes]) -> int:
    if not part["sign"]:
        return 3600 * _ZONE_HOURS.get((part.get("zone") or b"").upper(), 0)
    seconds = int(part["zone_hour"]) * 3600 + int(part["zone_minute"]) * 60
    return -seconds if part["sign"] == b"-" else seconds


def _utc(ms: int) -> datetime:
    """The moment, or the nearest one that a calendar of four-digit years has."""
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if ms > 0 else datetime.min.replace(tzinfo=UTC)


def format_date(ms: int) -> str:
    """`Sat, 21 Nov 2026 10:00:00 +0000`"""
    at = _utc(ms)
    clock = f"{at.hour:02}:{at.minute:02}:{at.second:02}"
    return f"{DAYS[at.weekday()]}, {at.day:02} {MONTHS[at.month - 1]} {at.year:04} {clock} +0000"


def imap_date_time(ms: int) -> bytes:
    """date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE"""
    at = _utc(ms)
    clock = f"{at.hour:02}:{at.minute:02}:{at.second:02}"
    return f'"{at.day:2}-{MONTHS[at.month - 1]}-{at.year:04} {clock} +0000"'.encode()


def parse_imap_date_time(text: bytes) -> int | None:
    """APPEND's date-time, with or without its quotes, in milliseconds since 1970 UTC."""
    found = _IMAP_DATE_TIME.fullmatch(text)
    return _moment(found) if found else None


def parse_imap_date(text: bytes) -> date | None:
    """SEARCH's date (RFC 3501 section 9): a day without a zone."""
    found = _IMAP_DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return date(int(found[3]), _MONTH_NUMBER.get(found[2].lower(), 0), int(found[1]))
    except ValueError:
        return None
