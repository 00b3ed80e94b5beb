"""The text of a notice: a sentence that everybody understands, then each recipient with the meaning, what to do, and the raw answer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

from mailhost.ids import Millis
from mailhost.message.dates import format_date
from mailhost.message.report import Action, one_line
from mailhost.relay.meanings import Language, Meaning, meaning
from mailhost.relay.wishes import Happened, Kind

MOST_LISTED = 50
"""Recipients that the text names; the part for programs names them all."""
WIDTH = 76
LONGEST_REPLY = 700

Words = Mapping[str, str]

ENGLISH: Words = {
    "subject FAILED": "Not delivered: {subject}",
    "subject DELAYED": "Not delivered yet: {subject}",
    "subject DONE": "Delivered: {subject}",
    "no subject": "(no subject)",
    "FAILED": "Your message could not be delivered to {who}.",
    "DELAYED": "Your message has not reached {who} yet. You need do nothing: we go on trying until {until}, and you will hear from us if that fails.",
    "DONE": "This is what you asked to hear of your message to {who}: it has got through.",
    "many": "{count} recipients",
    "about": 'Its subject was "{subject}"; we took it from you on {at}.',
    "asked": "You asked to hear of it if it was not there by {by}.",
    "leads to": " (which leads to {recipient})",
    "to do": "What you can do: {text}",
    "given up": "We have tried again and again, and have given up now.",
    "answer": "The answer of {host}:",
    "no answer": "What happened:",
    "delivered": "It lies in the recipient's mailbox.",
    "relayed": "It was handed to {host}, which does not tell whether it was delivered.",
    "relayed timed": "It was handed to {host}, which knows the time that you set for it.",
    "relayed untimed": "It was handed to {host}, which does not know the time that you set for it: it may arrive later.",
    "expanded": "The address stands for several recipients. Your message has gone on to each of them.",
    "more": "... and {count} more, named in the part of this notice that is for programs.",
    "end": "This notice was written by the mail server {host}. Nobody reads answers to it but the postmaster.",
}
CHINESE: Words = {
    "subject FAILED": "未能送达：{subject}",
    "subject DELAYED": "尚未送达：{subject}",
    "subject DONE": "已送达：{subject}",
    "no subject": "（无主题）",
    "FAILED": "您的邮件未能送达 {who}。",
    "DELAYED": "您的邮件尚未送达 {who}。您无需做任何事：我们会继续尝试到 {until}，若仍不成功会再通知您。",
    "DONE": "这是您要求的投递通知：您发给 {who} 的邮件已经送出。",
    "many": "{count} 位收件人",
    "about": "邮件主题为“{subject}”，我们于 {at} 收到。",
    "asked": "您要求在 {by} 之前未送达时得到通知。",
    "leads to": "（转至 {recipient}）",
    "to do": "您可以这样做：{text}",
    "given up": "我们已多次重试，现已放弃。",
    "answer": "{host} 的回复原文：",
    "no answer": "发生的情况：",
    "delivered": "邮件已放入收件人的邮箱。",
    "relayed": "邮件已交给 {host}，该服务器不会告知是否最终送达。",
    "relayed timed": "邮件已交给 {host}，该服务器知道您设定的时限。",
    "relayed untimed": "邮件已交给 {host}，该服务器不知道您设定的时限，邮件可能晚到。",
    "expanded": "该地址代表多位收件人，您的邮件已转发给其中每一位。",
    "more": "……另有 {count} 位，列在本通知供程序读取的部分中。",
    "end": "本通知由邮件服务器 {host} 自动发出，回复只有邮件管理员能看到。",
}
TIMED: Mapping[bool | None, str] = {None: "", True: " timed", False: " untimed"}
WORDS: Mapping[Language, Words] = {Language.ENGLISH: ENGLISH, Language.CHINESE: CHINESE}

_CHARSETS = re.compile(
    rb"(?:charset\s*=\s*[\"']?|=\?)(?:gb2312|gbk|gb18030|big5(?:-hkscs)?|hz-gb-2312|euc-tw|iso-2022-cn)\b",
    re.IGNORECASE,
)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ffff]")
_OTHER_SCRIPTS = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
"""Kana and Hangul: Han characters beside them are no Chinese."""


@dataclass(frozen=True, slots=True)
class About:
    """The message that the notice is about."""

    host: str
    """Ours."""
    subject: str
    arrived: Millis
    retried_until: Millis
    asked: Millis | None = None
    """From when on the sender wants to hear of a delay, where he has said so (RFC 2852)."""


def languages(subject: str, header: bytes) -> tuple[Language, ...]:
    """Chinese and English for whoever writes in Chinese, English for all others."""
    is_chinese = bool(_HAN.search(subject) and not _OTHER_SCRIPTS.search(subject)) or bool(_CHARSETS.search(header))
    return (Language.CHINESE, Language.ENGLISH) if is_chinese else (Language.ENGLISH,)


def subject(kind: Kind, about: About, language: Language) -> str:
    words = WORDS[language]
    return words[f"subject {kind.name}"].format(subject=about.subject or words["no subject"])


def text(kind: Kind, about: About, happened: Sequence[Happened], spoken: Sequence[Language]) -> str:
    """In one language, or in several one below the other."""
    return f"\n{'-' * WIDTH}\n\n".join("\n".join(_lines(kind, about, happened, each)) + "\n" for each in spoken)


def _lines(kind: Kind, about: About, happened: Sequence[Happened], language: Language) -> Iterator[str]:
    words = WORDS[language]
    who = happened[0].written if len(happened) == 1 else words["many"].format(count=len(happened))
    until = format_date(about.retried_until)
    yield _wrapped(words[kind.name].format(who=who, until=until))
    yield _wrapped(words["about"].format(subject=about.subject or words["no subject"], at=format_date(about.arrived)))
    if kind is Kind.DELAYED and about.asked is not None:
        yield _wrapped(words["asked"].format(by=format_date(about.asked)))
    for each in happened[:MOST_LISTED]:
        yield ""
        yield from _recipient(each, language)
    if len(happened) > MOST_LISTED:
        yield ""
        yield words["more"].format(count=len(happened) - MOST_LISTED)
    yield ""
    yield _wrapped(words["end"].format(host=about.host))


def _recipient(each: Happened, language: Language) -> Iterator[str]:
    words = WORDS[language]
    recipient = each.delivery.recipient
    leads_to = words["leads to"].format(recipient=recipient) if recipient != each.written else ""
    yield one_line(each.written + leads_to)
    if each.action in (Action.FAILED, Action.DELAYED):
        yield from _trouble(each, language)
    else:
        yield _wrapped(words[each.action + TIMED[each.timed]].format(host=each.host or "?"), "    ")
        if each.reply:
            yield from _answer(each, words)


def _trouble(each: Happened, language: Language) -> Iterator[str]:
    words = WORDS[language]
    found: Meaning = meaning(each.status, each.reply, language=language)
    yield _wrapped(found.text, "    ")
    if each.given_up:
        yield _wrapped(words["given up"], "    ")
    if each.action is Action.FAILED:  # while we try again there is nothing to do
        yield _wrapped(words["to do"].format(text=found.for_sender), "    ")
    yield from _answer(each, words)


def _answer(each: Happened, words: Words) -> Iterator[str]:
    if each.reply:
        yield "    " + words["answer"].format(host=each.host or "?")
        yield "        " + one_line(each.reply)[:LONGEST_REPLY]
    elif each.reason:
        yield "    " + words["no answer"]
        yield "        " + one_line(each.reason)[:LONGEST_REPLY]


def _wrapped(sentence: str, indent: str = "") -> str:
    """Chinese has no blanks to break at: reading programs do it."""
    return fill(
        one_line(sentence),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
