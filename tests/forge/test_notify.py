"""Real apprise, local receivers: who is told what, in which markup and size, and that no address is ever shown."""

from __future__ import annotations

import json
import logging
import os
import smtplib
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import requests
import respx

from reconciler.errors import ApiError, UsageError
from reconciler.forge import notify as module
from reconciler.forge.notify import HTML, MARKDOWN, TEXT, Markup, Notice, addresses, notify, ping
from reconciler.providers.credentials import Secret
from tests.forge.receiver import Receiver, received

apprise = pytest.importorskip("apprise")

SLACK = f"slack://T{'0' * 8}/B{'0' * 8}/{'x' * 24}/#billing"
SECRET = "not-to-be-shown-anywhere"
NAMES = {id(TEXT): "text", id(MARKDOWN): "markdown", id(HTML): "html"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with received() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two requests, and nothing around us is a proxy."""
    monkeypatch.setattr(apprise.NotifyBase, "request_rate_per_sec", 0)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def draw(markup: Markup, limit: int) -> str:
    return f"[{NAMES[id(markup)]}] {markup.plain('A & <B>', 80)} {markup.link('The run', 'https://ci.example.com/7')}"[
        :limit
    ]


NOTICE = Notice(title="Nightly reconciliation: held, 1 thing waits for a person", draw=draw, kind="warning")


def send(*urls: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    return notify(NOTICE, [Secret(url) for url in urls], environ or {})


# ---- what arrives ---------------------------------------------------------------------------------------------------


def test_json_has_subject_text_and_colour(receiver: Receiver) -> None:
    assert send(f"json://{receiver.host}/hook") == ("JSON",)
    ((path, content),) = receiver.requests
    told = json.loads(content)
    assert path == "/hook"
    assert (told["title"], told["type"]) == (NOTICE.title, "warning")
    assert told["message"] == "[text] A & <\u200bB> The run: https://ci.example.com/7"


def test_a_service_gets_the_markup_it_asks_for(receiver: Receiver) -> None:
    send(f"form://{receiver.host}/?format=html", f"xml://{receiver.host}/?format=markdown")
    form, xml = (content.decode() for _, content in receiver.requests)
    assert parse_qs(form)["message"][0].startswith("[html] A &amp; &lt;\u200bB&gt; <a href=")
    words = [element.text for element in ET.fromstring(xml).iter() if element.tag == "Message"]  # noqa: S314 - ours
    assert words == ["[markdown] A & \\<\u200bB\\> [The run](https://ci.example.com/7)"]


def test_ntfy_gets_topic_and_title(receiver: Receiver) -> None:
    send(f"ntfy://{receiver.host}/billing")
    told = json.loads(receiver.requests[0][1])
    assert (told["topic"], told["title"]) == ("billing", NOTICE.title)


def test_a_service_without_a_subject_has_it_in_the_text(receiver: Receiver) -> None:
    send(f"mmost://{receiver.host}/abcdefgh12345678")
    assert json.loads(receiver.requests[0][1])["text"].startswith(f"{NOTICE.title}\r\n[text]")


def test_slack_gets_its_own_escapes(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    slack = type(apprise.Apprise.instantiate(SLACK))
    monkeypatch.setattr(slack, "webhook_url", f"http://{receiver.host}/services")
    send(SLACK)
    told = json.loads(receiver.requests[0][1])
    assert told["channel"] == "#billing"
    text = json.dumps(told, ensure_ascii=False)
    assert "A &amp; &lt;\u200bB&gt;" in text
    assert "\\\\" not in text, "no backslash of ours is left to read"
    assert "<https://ci.example.com/7|The run>" in text


def teams(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a Teams workflow whose requests, for https elsewhere, arrive here."""
    real = requests.post
    monkeypatch.setattr(
        "requests.post", lambda _url, **rest: real(f"http://{receiver.host}/teams", **{**rest, "verify": True})
    )
    return f"workflow://flows.example.com/0123456789abcdef/{SECRET}"


def test_teams_gets_a_card_within_its_small_size(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def long(markup: Markup, limit: int) -> str:
        sizes.append(limit)
        return "x" * limit

    notice = Notice(title=NOTICE.title, draw=long, kind="warning")
    notify(notice, [Secret(teams(receiver, monkeypatch))], {})
    card = json.loads(receiver.requests[0][1])
    assert sizes == [1_000]
    assert card["attachments"][0]["content"]["type"] == "AdaptiveCard"
    assert NOTICE.title in json.dumps(card)


def test_mail_is_html_with_a_plain_part(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[EmailMessage] = []

    class Smtp:
        def __init__(self, *_where: object, **_how: object) -> None:
            return

        def sendmail(self, _sender: str, _to: object, content: str) -> None:
            sent.append(message_from_string(content, policy=policy.default))  # type: ignore[arg-type]

        def __getattr__(self, _name: str) -> Any:
            return lambda *_given, **_named: (250, b"ok")

    monkeypatch.setattr(smtplib, "SMTP", Smtp)
    monkeypatch.setattr(smtplib, "SMTP_SSL", Smtp)
    send(f"mailtos://night:{SECRET}@smtp.acme.example?to=billing@acme.example&from=night@acme.example")
    (mail,) = sent
    assert mail["Subject"] == NOTICE.title
    html = mail.get_body(("html",))
    assert html is not None
    text = html.get_content()
    assert "[html] A &amp; &lt;" in text
    assert text.count("<a href=") == 1
    assert "<img" not in text


# ---- what goes wrong ------------------------------------------------------------------------------------------------


def test_every_address_is_tried_and_the_failed_one_is_named_by_its_number(receiver: Receiver) -> None:
    with pytest.raises(ApiError, match=r"address 1 \(JSON\) was not reached") as caught:
        send(f"json://127.0.0.1:1/{SECRET}", f"json://{receiver.host}/b")
    assert SECRET not in str(caught.value.message) + caught.value.hint
    assert [path for path, _ in receiver.requests] == ["/b"]


def test_a_refusal_is_told_with_its_status(receiver: Receiver) -> None:
    receiver.status = 403
    with pytest.raises(ApiError, match=r"address 1 \(Form\) refused it \(HTTP 403\)"):
        send(f"form://{receiver.host}/{SECRET}")


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": f"http://{receiver.host}/elsewhere"}
    with pytest.raises(ApiError, match=r"HTTP 302"):
        send(f"json://{receiver.host}/here")
    assert [path for path, _ in receiver.requests] == ["/here"]


def test_a_service_that_never_ends_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, gone = threading.Event(), threading.Event()

    def hang(*_given: object, **_named: object) -> bool:
        let_go.wait()
        gone.set()
        return True

    monkeypatch.setattr(type(apprise.Apprise.instantiate("json://127.0.0.1")), "send", hang)
    monkeypatch.setattr(module, "SECONDS", 0.05)
    try:
        with pytest.raises(ApiError, match="did not end within"):
            send("json://127.0.0.1:1/x")
    finally:
        let_go.set()
    assert gone.wait(60)  # on a busy machine it may come here late, and must not meet the real service then


def test_a_plugin_that_breaks_shows_nothing_of_the_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def explode(*_given: object, **_named: object) -> bool:
        raise RuntimeError(f"https://example.com/{SECRET}")

    monkeypatch.setattr(type(apprise.Apprise.instantiate("json://127.0.0.1")), "send", explode)
    with pytest.raises(ApiError) as caught:
        send(f"json://127.0.0.1:1/{SECRET}")
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value) + "".join(capfd.readouterr())


@pytest.mark.parametrize("url", [f"nothing://{SECRET}", SECRET, f"slack://{SECRET}", f"https://{SECRET}:x/", "://"])
def test_an_unusable_address_stops_before_anything_is_sent(
    url: str, receiver: Receiver, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(1), pytest.raises(UsageError, match="address 2 of 2") as caught:
        send(f"json://{receiver.host}/a", url)
    assert receiver.requests == []
    assert SECRET not in str(caught.value) + caught.value.hint + "".join(capfd.readouterr()) + caplog.text


def test_nothing_that_apprise_says_reaches_a_stream_or_a_log(
    receiver: Receiver, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    with caplog.at_level(1), pytest.raises(ApiError):
        send(f"json://user:{SECRET}@{receiver.host}/{SECRET}", f"json://{receiver.host}/{SECRET}?verify=no")
    assert capfd.readouterr() == ("", "")
    assert SECRET not in caplog.text
    assert logging.getLogger("apprise").propagate


def test_without_the_extra_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageError, match="is not installed") as caught:
        send(f"json://127.0.0.1/{SECRET}")
    assert caught.value.hint == f"Install it beside the program: {sys.executable} -m pip install 'apprise>=2.1'"


# ---- addresses and network ------------------------------------------------------------------------------------------


def test_addresses_are_separated_by_white_space() -> None:
    found = addresses({"NOTIFY_URLS": " json://a.example/x,\n  mailto://b.example?to=c,d \n"})
    assert [one.reveal() for one in found] == ["json://a.example/x", "mailto://b.example?to=c,d"]
    assert SECRET not in repr(addresses({"NOTIFY_URLS": SECRET}))


def test_addresses_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("json://a.example/x\nntfy://b.example/y\n", encoding="ascii")
    assert len(addresses({"NOTIFY_URLS_FILE": str(file)})) == 2
    with pytest.raises(UsageError, match="both set"):
        addresses({"NOTIFY_URLS_FILE": str(file), "NOTIFY_URLS": "json://a.example"})
    with pytest.raises(UsageError, match="NOTIFY_URLS_FILE: the file cannot be read"):
        addresses({"NOTIFY_URLS_FILE": str(tmp_path / "none")})
    assert addresses({}) == ()


def test_no_netrc_gives_a_receiver_a_password(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login night password {SECRET}\n", encoding="ascii")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    send(f"json://{receiver.host}/a")
    assert receiver.authorizations == [None]


def test_only_our_own_proxy_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    send(f"json://{receiver.host}/a")
    assert len(receiver.requests) == 1
    assert os.environ["http_proxy"] == "http://127.0.0.1:1"
    assert "no_proxy" not in os.environ


# ---- the dead man's switch: called once for a good night, its address stays a secret --------------------------------


URL = "https://switch.example.com/0f3c-secret-path"


@pytest.fixture
def switch(tools: dict[str, Any]) -> respx.Route:
    """A monitoring service that answers 200, in the place of the network; any other address is an error."""
    router = respx.MockRouter(assert_all_called=False)
    tools["factory"] = lambda _origin: httpx.MockTransport(router.handler)
    return router.get(URL).respond(200, text="OK")


def test_the_switch_is_called_once(switch: respx.Route, tools: dict[str, Any]) -> None:
    ping(URL, **tools)
    assert switch.call_count == 1


def test_it_is_called_again_when_it_stumbles(switch: respx.Route, tools: dict[str, Any]) -> None:
    switch.side_effect = [httpx.Response(500), httpx.ReadError("cut off"), httpx.Response(429), httpx.Response(200)]
    ping(URL, **tools)
    assert switch.call_count == 4


@pytest.mark.parametrize(("status", "calls"), [(503, 5), (404, 1)])
def test_a_dead_switch_is_an_error_that_keeps_the_address(
    switch: respx.Route, tools: dict[str, Any], status: int, calls: int
) -> None:
    switch.respond(status)
    with pytest.raises(ApiError) as error:
        ping(URL, **tools)
    assert "0f3c" not in f"{error.value} {error.value.hint} {error.value.request}"
    assert switch.call_count == calls


@pytest.mark.parametrize("url", ["http://switch.example.com/x", "ftp://x", "https://user@switch.example.com/x", "x"])
def test_an_address_that_would_show_the_secret_is_refused(url: str, tools: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="DEAD_MANS_SWITCH_URL") as error:
        ping(url, **tools)
    assert url not in str(error.value) or url == "x"
