"""Who sends with Python's own client: by STARTTLS, by TLS, and as another host."""

import smtplib

from tests.journeys.contents import CONTENTS
from tests.journeys.readers import Person
from tests.service import END_SECONDS, Server


def submission(server: Server, person: Person) -> smtplib.SMTP:
    client = smtplib.SMTP("localhost", server.ports["submission"], timeout=END_SECONDS)
    client.starttls(context=server.tls())
    client.login(person.address, person.password)
    return client


def submissions(server: Server, person: Person) -> smtplib.SMTP:
    client = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=END_SECONDS)
    client.login(person.address, person.password)
    return client


def other_host(server: Server, _: Person) -> smtplib.SMTP:
    client = smtplib.SMTP("localhost", server.ports["smtp"], timeout=END_SECONDS)
    client.starttls(context=server.tls())
    return client


def send(server: Server, sender: Person, receiver: Person, *names: str) -> None:
    """Some of CONTENTS, or all of them, in one session."""
    with submission(server, sender) as client:
        for name in names or CONTENTS:
            refused = client.sendmail(sender.address, [receiver.address], CONTENTS[name], ["BODY=8BITMIME"])
            assert refused == {}
