"""The messages to people, by every address of NOTIFY_URLS (Teams, Slack, mail, ntfy and what else apprise knows), and
the one to a monitoring service, the dead man's switch.

A message is short: how the run ended, what waits for a person, a link, in the markup that a service wants. Names in it
were chosen by somebody else: they go through the markup's `plain` like every other text, so that none can format, link
or mention. An address is a secret: whoever has it can write to the people behind it. So nothing of it is shown, and
nothing that apprise says of it: an address is told by its number, its service and what kind of failure it met.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from html import escape
from random import Random
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

from reconciler.errors import ApiError, UsageError
from reconciler.forge.result import Result, Verdict
from reconciler.forge.words import Occasion, Origin, lead
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Call, Route, Transport, TransportFactory
from reconciler.http.waiting import Deadline, Retries
from reconciler.http.wire import OTHER_PROXY_VARIABLES, PROXY_VARIABLE
from reconciler.plan_document.layout import NeedJson
from reconciler.providers.credentials import Secret, parse_address, secret_text
from reconciler.render.text import commonmark_safe, html_message_safe, message_safe
from reconciler.render.words import WORDS, circumstances, in_all

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

VARIABLE = "NOTIFY_URLS"
SWITCH = "DEAD_MANS_SWITCH_URL"
SECONDS = 60
"""How long one address may take."""

_SWITCH_SECONDS = 20.0
_PROSE = 1_000
"""Characters of one text that are told."""

_NAMES = 10
"""So many of what waits no longer are named."""

_SUBJECT = {Occasion.NIGHT: "Nightly reconciliation", Occasion.APPLIED: "Reconciliation after an edit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """How a service wants its text. `plain` takes a text and how many characters of it are told."""

    plain: Callable[[str, int], str]
    strong: Callable[[str], str]
    link: Callable[[str, str], str]
    line_end: str
    gap: str


TEXT = Markup(
    plain=message_safe, strong=lambda text: text, link=lambda words, url: f"{words}: {url}", line_end="\n", gap="\n\n"
)
MARKDOWN = Markup(
    plain=commonmark_safe,
    strong=lambda text: f"**{text}**",
    link=lambda words, url: f"[{words}]({url})",
    line_end="  \n",
    gap="\n\n",
)
HTML = Markup(
    plain=html_message_safe,
    strong=lambda text: f"<b>{text}</b>",
    link=lambda words, url: f'<a href="{escape(url)}">{words}</a>',
    line_end="<br/>\n",
    gap="<br/>\n<br/>\n",
)


def is_told(result: Result) -> bool:
    """True where something waits for a person, or did and is right again."""
    return bool(result.attention or result.met)


def title(result: Result, occasion: Occasion, instance: str = "") -> str:
    """The subject: which run, of which instance of many, how it ended, how much waits. It names no customer."""
    ended = "right again" if result.verdict is Verdict.CLEAN and result.met and not result.attention else result.verdict
    of_many = f" ({message_safe(instance)})" if instance else ""
    return f"{_SUBJECT[occasion]}{of_many}: {ended}, {in_all(result.attention)}"


def urgency(result: Result) -> str:
    """How urgent it is, in apprise's words: most services show a colour for it."""
    if not result.verdict.came_to_its_end:
        return "failure"
    if result.attention:
        return "warning"
    return "success" if result.met else "info"


def body(result: Result, occasion: Occasion, where: Origin, markup: Markup, *, limit: int) -> str:
    """The text in at most `limit` characters: what is due first is kept, what does not fit is counted."""
    told = [*_error(result, markup), *(_need(need, where.now.date(), markup) for need in result.needs)]
    bottom = markup.link("The run", where.run_url) if where.run_url else ""
    top, right = markup.plain(lead(result, occasion), _PROSE), _right_again(result.met, markup)
    for above, below in ((top, right), (top, ""), ("", "")):

        def text(kept: int, above: str = above, below: str = below) -> str:
            return markup.gap.join(filter(None, [above, *told[:kept], _more(len(told) - kept), below, bottom]))

        if len(text(0)) <= limit:
            return text(bisect_right(range(1, len(told) + 1), limit, key=lambda kept: len(text(kept))))
    return in_all(result.attention)[:limit]


def _more(number: int) -> str:
    return f"{number} more: see the run." if number else ""


def _need(need: NeedJson, today: date, markup: Markup) -> str:
    key = f" ({markup.plain(need['key'], _PROSE)})" if need["key"] else ""
    who = markup.strong(markup.plain(need["who"], _PROSE))
    about = markup.plain(circumstances(need, today), _PROSE)
    lines = [f"{who}{key}: {about}", markup.plain(need["what"], _PROSE), f"To do: {markup.plain(need['step'], _PROSE)}"]
    return markup.line_end.join(lines)


def _error(result: Result, markup: Markup) -> Iterator[str]:
    """The error of a run that has no list of its own to stand in."""
    if result.error is not None and not result.needs:
        lines = [markup.strong(markup.plain(" ".join(result.error.message.split()), _PROSE))]
        lines += [markup.plain(problem, _PROSE) for problem in result.error.problems[:_NAMES]]
        lines += [f"To do: {markup.plain(result.error.hint, _PROSE)}"] if result.error.hint else []
        yield markup.line_end.join(lines)


def _right_again(met: Sequence[NeedJson], markup: Markup) -> str:
    names = [f"{markup.plain(need['who'], _PROSE)} ({WORDS[need['kind']]})" for need in met[:_NAMES]]
    rest = f" and {len(met) - _NAMES} more" if len(met) > _NAMES else ""
    return f"Waits no longer: {', '.join(names)}{rest}." if met else ""


# ---- sending --------------------------------------------------------------------------------------------------------

_MARKUPS = {"html": HTML, "markdown": MARKDOWN, "text": TEXT}
_NETWORK = (*OTHER_PROXY_VARIABLES, "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
_TITLE_MARKS = 40
"""Characters that apprise may add where a service has no subject line and the title goes into the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is sent: a subject without names, the text in so many characters, how urgent it is in apprise's words."""

    title: str
    draw: Callable[[Markup, int], str]
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
    given = environ.get(PROXY_VARIABLE, "")
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


# ---- the dead man's switch ------------------------------------------------------------------------------------------


def ping(url: str, *, deadline: Deadline, factory: TransportFactory, rng: Random) -> None:
    """Call the address. Raises `UsageError` for one that cannot be used, `ApiError` when it does not answer.

    The address is a secret (whoever knows it can keep the alarm silent), so no message holds it.
    """
    try:
        address = parse_address(url, port=True)
    except ValueError as exc:
        raise UsageError(f"{SWITCH} {exc}.", hint="Give the address as the monitoring service shows it.") from exc
    path = address.path or "/"
    transport = Transport(
        system="The dead man's switch",
        routes=[Route(method="GET", origin=address.origin, path=re.compile(re.escape(path)))],
        factory=factory,
        deadline=deadline,
        rng=rng,
        timeout=_SWITCH_SECONDS,
        redactor=Redactor(),
    )
    try:
        call = Call(method="GET", origin=address.origin, path=path)
        Retries(deadline=deadline, rng=rng).run(
            lambda: _call(transport, call), reason="The dead man's switch did not answer. Trying again."
        )
    except ApiError as exc:  # its own message would show the address: only its kind is told
        raise ApiError(
            f"The dead man's switch could not be told that the night went well ({exc.code}).",
            system="The dead man's switch",
            hint=f"Check {SWITCH} and the monitoring service; without the call it will raise its alarm.",
        ) from None
    finally:
        transport.close()


def _call(transport: Transport, call: Call) -> None:
    error = transport.complaint(call, transport.write(call))
    if error is not None:
        raise error
