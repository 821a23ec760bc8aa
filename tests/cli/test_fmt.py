"""`fmt --names`, and names from one command to the next."""

from __future__ import annotations

from tests.cli.bench import Bench


def rename_customer(bench: Bench, number: int, name: str) -> None:
    bench.world.customers[number]["name"] = name


def test_a_new_name_is_written_and_the_warning_does_not_come_back(bench: Bench) -> None:
    rename_customer(bench, 11, "Quite Another Group")
    bench.world.change_client(102, {"name": "Borealis\u200b Shipping"})
    told = bench.run("plan").out
    assert "is now named 'Quite Another Group'" in told
    assert "reconciler fmt --names" in told
    before = bench.file.read_bytes()
    answer = bench.run("fmt", "--names")
    assert (answer.code, "HaloPSA customer 11: 'Acme Dental' -> 'Quite Another Group'" in answer.out) == (0, True)
    after = bench.file.read_bytes()
    assert after == before.replace(b'{id: 11, name: "Acme Dental"}', b'{id: 11, name: "Quite Another Group"}').replace(
        b'infima_client: {id: 102, name: "Borealis Freight"}', b'infima_client: {id: 102, name: "Borealis Shipping"}'
    )
    assert "is now named" not in bench.run("plan").out


def test_a_diff_and_a_check_write_nothing(bench: Bench) -> None:
    rename_customer(bench, 11, "Acme Group")
    before = bench.file.read_bytes()
    assert '+    halo_customer: {id: 11, name: "Acme Group"}' in bench.run("fmt", "--names", "--diff").out
    assert bench.run("fmt", "--names", "--check").code == 1
    assert bench.file.read_bytes() == before


def test_names_that_may_be_swapped_ids_are_left_to_a_person(bench: Bench) -> None:
    """Written into the file, they would silence the witness."""
    rename_customer(bench, 11, "Borealis Freight")
    rename_customer(bench, 12, "Acme Dental")
    before = bench.file.read_bytes()
    answer = bench.run("fmt", "--names")
    assert (answer.code, bench.file.read_bytes()) == (1, before)
    assert answer.err.count("Is it the right id?") == 2
    assert "All other names are today's." in answer.err
    assert "All names" not in answer.err


def test_a_name_that_cannot_be_compared_is_told(bench: Bench) -> None:
    bench.world.remove_client(103)
    answer = bench.run("fmt", "--names")
    assert answer.code == 0
    assert "Not compared: INFIMA client 103 (Corvid Labs) is not listed." in answer.err
    assert "All names" not in answer.err


def test_before_a_create_a_quite_different_name_is_left_to_a_person(bench: Bench) -> None:
    rename_customer(bench, 15, "Bramble Catering")
    rename_customer(bench, 16, "Fenwick Law LLP")
    answer = bench.run("fmt", "--names")
    assert "Is it the right id?" in answer.err
    text = bench.file.read_text(encoding="utf-8")
    assert "Bramble" not in text
    assert "Fenwick Law LLP" in text


def test_customers_are_listed_with_their_subscriptions(bench: Bench) -> None:
    bench.world.add_licence(11, "Awareness training", 4, licence_id=9100, is_active=False)
    out = bench.run("customers", "acme").out
    assert "#9001 INFIMA Security Awareness Training: 10" in out
    assert "#9100 Awareness training: 4, inactive" in out
