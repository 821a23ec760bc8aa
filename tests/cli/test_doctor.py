"""`doctor`: each line with its fix, "Connected" only when it is true, never a secret."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tests.cli.bench import Bench


def checks(bench: Bench) -> tuple[int, dict[str, dict[str, str]]]:
    answer = bench.run("doctor", "-o", "json")
    document = json.loads(answer.out)
    assert document["connected"] == (answer.code == 0)
    return answer.code, {check["name"]: check for check in document["checks"]}


def switch(bench: Bench, **changes: object) -> None:
    switches = bench.world.switches
    bench.world.switches = switches.from_json(switches.to_json() | changes)


def test_connected(bench: Bench) -> None:
    answer = bench.run("doctor")
    assert answer.code == 0
    assert answer.out.endswith("Connected.\n")


def test_no_secret_is_shown_whatever_breaks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [bench.world.credentials.halo_client_secret, bench.world.credentials.infima_api_key]
    told = bench.run("doctor", "-v").text
    monkeypatch.setenv("HALO_CLIENT_SECRET", "a-wrong-secret-value")
    monkeypatch.setenv("INFIMA_API_KEY", "a-wrong-key-value")
    told += bench.run("doctor").text
    assert not [secret for secret in [*secrets, "a-wrong-secret-value", "a-wrong-key-value"] if secret in told]


def test_it_only_reads(bench: Bench) -> None:
    bench.run("doctor")
    assert bench.writes() == 0
    assert bench.records() == ["state.json"]


def test_each_side_is_checked_without_the_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFIMA_API_KEY")
    code, found = checks(bench)
    assert (code, found["Right: customers read"]["status"], found["INFIMA"]["status"]) == (1, "ok", "skipped")
    monkeypatch.setenv("INFIMA_API_KEY", bench.world.credentials.infima_api_key)
    monkeypatch.delenv("HALO_URL")
    code, found = checks(bench)
    assert (code, found["INFIMA key"]["status"], found["HaloPSA"]["status"]) == (1, "ok", "skipped")


@pytest.mark.parametrize(
    ("name", "value"), [("RECONCILER_PROXY", "not an address"), ("SSL_CERT_FILE", "/nonexistent/certificates.pem")]
)
def test_a_network_that_cannot_be_used_is_not_blamed_on_the_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, found = checks(bench)
    assert (code, found["mappings.yaml"]["status"], list(bench.world.requests)) == (1, "ok", [])
    for system in ("HaloPSA", "INFIMA"):
        assert found[system]["message"] == "not tried: the proxy or the certificates do not work, see the line above"


def test_a_wrong_secret_fails_the_token_and_skips_the_rights(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALO_CLIENT_SECRET", "wrong")
    code, found = checks(bench)
    assert (code, found["HaloPSA token"]["status"], found["HaloPSA rights"]["status"]) == (1, "failed", "skipped")
    assert "login type is Agent" in found["HaloPSA token"]["fix"]


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ("read:customers", "Right: customers read"),
        ("read:invoices", "Right: invoices read"),
        ("read:softwarelicensing", "Right: software licensing read"),
    ],
)
def test_a_right_that_the_role_lacks_is_the_one_that_fails(bench: Bench, scope: str, name: str) -> None:
    switch(bench, agent_lacks=[scope])
    code, found = checks(bench)
    assert (code, [n for n, check in found.items() if check["status"] == "failed"]) == (1, [name])


def test_a_right_that_the_token_does_not_grant_fails_by_its_name(bench: Bench) -> None:
    switch(bench, scopes_withheld=["read:invoices"])
    code, found = checks(bench)
    failing = [n for n, check in found.items() if check["status"] == "failed"]
    assert (code, failing) == (1, ["HaloPSA scopes", "Right: invoices read"])


def test_a_wrong_key_fails_infima_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFIMA_API_KEY", "wrong")
    code, found = checks(bench)
    assert (code, [n for n, check in found.items() if check["status"] == "failed"]) == (1, ["INFIMA key"])


def test_user_count_that_means_all_users_is_told(bench: Bench) -> None:
    switch(bench, user_count="total")
    code, found = checks(bench)
    assert (code, found["INFIMA counts"]["status"]) == (0, "look")


def test_an_invalid_file_does_not_keep_the_rest_from_being_checked(bench: Bench) -> None:
    bench.file.write_text("version: 2\n", encoding="utf-8")
    code, found = checks(bench)
    assert (code, found["mappings.yaml"]["status"], found["INFIMA variables"]["status"]) == (1, "failed", "ok")
    assert found["INFIMA"]["status"] == found["HaloPSA"]["status"] == "skipped", "no request before the file is valid"
    assert found["State"]["status"] != "skipped"


def test_both_systems_are_checked_before_there_is_a_file(bench: Bench) -> None:
    bench.file.unlink()
    assert checks(bench)[1]["INFIMA key"]["status"] == "ok"


def test_a_missing_file_names_init(bench: Bench) -> None:
    bench.file.unlink()
    assert "reconciler init" in checks(bench)[1]["mappings.yaml"]["fix"]


def test_an_old_console_gets_plain_marks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Console(io.TextIOWrapper):
        pass

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Console(raw, encoding="cp1252", newline=""))
    bench.run("doctor")
    sys.stdout.flush()
    assert raw.getvalue().startswith(b"+ ok      mappings.yaml")
