"""Sends one message to every address of NOTIFY_URLS: Teams, Slack, mail, ntfy and what else apprise knows.

An address is a secret: whoever has it can write to the people behind it. So nothing of it is shown, and nothing that
apprise says of it: an address is told by its number, its service and what kind of failure it met.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

from reconciler.errors import ApiError, UsageError
from reconciler.forge.message import HTML, MARKDOWN, TEXT, Markup
from reconciler.http.wire import OTHERS
from reconciler.http.wire import VARIABLE as PROXY
from reconciler.providers.credentials import Secret, secret_text

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

VARIABLE = "NOTIFY_URLS"
SECONDS = 60
"""How long one address may take."""

_MARKUPS = {"html": HTML, "markdown": MARKDOWN, "text": TEXT}
_NETWORK = (*OTHERS, "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
_TITLE_MARKS = 40
"""Characters that apprise may add where a service has no subject line and the title goes into the text."""

Draw = Callable[[Markup, int], str]
"""The text in a markup, in at most so many characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is sent: a subject without names, the text, and how urgent it is, in apprise's words."""

    title: str
    draw: Draw
    kind: str


def addresses(environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """The addresses in NOTIFY_URLS or the file of NOTIFY_URLS_FILE, separated by white space. Raises `UsageError`."""
    return tuple(Secret(word.rstrip(",")) for word in secret_text(environ, VARIABLE).split() if word.rstrip(","))


def notify(notice: Notice, urls: Sequence[Secret], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Send it to every address and return the services that took it.

    All addresses are read before anything is sent, and each is tried, whatever became of the others. Raises
    `UsageError` where one cannot be used, or apprise is missing; `ApiError` where one did not take the message.
    """
    apprise = _library()
    with _listening() as heard, _own_network(environ):
        asset = _asset(apprise)
        services = [apprise.Apprise.instantiate(url.reveal(), asset=asset) for url in urls]
        if wrong := [str(number) for number, service in enumerate(services, 1) if service is None]:
            raise UsageError(
                f"{VARIABLE}: address {', '.join(wrong)} of {len(urls)} is none that apprise knows, or lacks a part.",
                hint="Write each as https://appriseit.com shows it for the service, separated by spaces or lines.",
            )
        sent = [(service, _send(service, notice, heard)) for service in services]
    failed = [
        f"address {number} ({service.service_name}) {why}" for number, (service, why) in enumerate(sent, 1) if why
    ]
    if failed:
        raise ApiError(
            f"Not everybody could be told: {'; '.join(failed)}.",
            system="The notification",
            hint=f"Check these addresses in {VARIABLE}; the summary of the run says what was to be told.",
        )
    return tuple(str(service.service_name) for service in services)


def _library() -> ModuleType:
    try:
        import apprise  # noqa: PLC0415 - the extra `notify`; heavy
    except ImportError:
        raise UsageError(
            f"{VARIABLE} is set, and apprise, which sends the messages, is not installed.",
            hint=f"Install it beside the program: {sys.executable} -m pip install 'apprise>=2.1'",
        ) from None
    return apprise


def _asset(apprise: ModuleType) -> AppriseAsset:
    """How apprise presents us: our name, no remote pictures, no redirects, nothing on disk."""
    asset: AppriseAsset = apprise.AppriseAsset(
        app_id="reconciler",
        app_desc="reconciler",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
        http_redirects=False,
        storage_mode="memory",
    )
    return asset


def _send(service: NotifyBase, notice: Notice, heard: list[str]) -> str:
    """Send to one service, in its markup and within its size; return why it failed, or nothing."""
    markup = service.resolve_format()
    title = notice.title[: service.title_maxlen] if service.title_maxlen > 0 else notice.title
    inside = service.title_maxlen <= 0 or service.overflow_amalgamate_title
    room = service.body_maxlen - (len(title) + _TITLE_MARKS if inside else 0)
    body = notice.draw(_MARKUPS[markup.value], max(room, 1))
    ended: list[bool] = []

    def send() -> None:
        try:
            ended.append(bool(service.notify(body, title=title, notify_type=notice.kind, body_format=markup)))
        except Exception:  # noqa: BLE001 - a service's plugin raises what it likes, and its words may hold the address
            ended.append(False)

    heard.clear()
    sender = Thread(target=send, daemon=True)  # a service that answers for ever must not keep the process
    sender.start()
    sender.join(SECONDS)
    if not ended:
        return f"did not end within {SECONDS} seconds"
    if ended[0]:
        return ""
    statuses = [found[1] for words in heard if (found := _STATUS.search(words))]
    return f"refused it (HTTP {statuses[-1]})" if statuses else "was not reached"


class _Listener(logging.Handler):
    """Keeps what apprise says, of which nothing but an HTTP status is ever shown."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Nothing that apprise and what it stands on say reaches a stream: it could name an address."""
    loggers, listener = [logging.getLogger(name) for name in ("apprise", "urllib3")], _Listener()
    kept = [(logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [listener]
    try:
        with catch_warnings():
            simplefilter("ignore")
            yield listener.heard
    finally:
        for logger, (propagate, handlers) in zip(loggers, kept, strict=True):
            logger.propagate, logger.handlers = propagate, handlers


@contextmanager
def _own_network(environ: Mapping[str, str]) -> Iterator[None]:
    """RECONCILER_PROXY and SSL_CERT_FILE count here as everywhere; apprise would take others, and ~/.netrc."""
    given = environ.get(PROXY, "")
    ours = {"NETRC": os.devnull, **({"https_proxy": given} if given else {"no_proxy": "*"})}
    if certificates := environ.get("SSL_CERT_FILE", ""):
        ours["REQUESTS_CA_BUNDLE"] = certificates
    kept = {name: os.environ.pop(name) for name in (*_NETWORK, *ours) if name in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(kept)
