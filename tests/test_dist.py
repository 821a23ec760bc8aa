"""What `make dist` builds: the same bytes each time, the whole program, man pages, links that lead somewhere; and how a
repository that `init` made installs it."""

from __future__ import annotations

import email
import email.message
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.cli.main import COMMANDS, main
from tests.man_pages import man_pages

ROOT = Path(__file__).parents[1]
WHEEL = f"halo_infima_reconciler-{__version__}-py3-none-any.whl"
SDIST = f"halo_infima_reconciler-{__version__}.tar.gz"
CODE = ROOT / "reconciler"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not CODE.is_dir(), reason="builds from a git checkout, as releases are"
)


def build(source: Path, to: Path, **variables: str) -> Path:
    done = subprocess.run(
        [str(source / ".ci" / "dist"), str(to)],
        env=os.environ | {"VENV": sys.prefix} | variables,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return to


def known_to_git() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(dist / WHEEL)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    text = wheel.read(f"halo_infima_reconciler-{__version__}.dist-info/METADATA").decode()
    return email.message_from_string(text)


def test_two_builds_are_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """Another folder, clock, time zone, umask and hash seed, and a file that nobody committed."""
    clone = tmp_path / "clone"
    for name in known_to_git():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    git = ["git", "-C", str(clone)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    (clone / "reconciler" / "stray.py").write_text("", encoding="utf-8")
    for path in (clone / "reconciler").rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    before = os.umask(0o077)
    try:
        build(clone, tmp_path / "again", TZ="Asia/Tokyo", PYTHONHASHSEED="7", SOURCE_DATE_EPOCH="1700000000")
    finally:
        os.umask(before)
    for name in (WHEEL, SDIST):
        assert (dist / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_the_sdist_is_what_git_knows_and_the_man_pages(dist: Path) -> None:
    with tarfile.open(dist / SDIST) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held == {*known_to_git(), *(f"man/{name}" for name in man_pages()), "PKG-INFO"}


def test_the_wheel_holds_every_module_and_no_test(wheel: zipfile.ZipFile) -> None:
    held = set(wheel.namelist())
    wanted = [*CODE.rglob("*.py"), *CODE.rglob("*.toml")]  # the texts of `explain` are a TOML file
    assert {path.relative_to(ROOT).as_posix() for path in wanted} <= held
    assert {name.partition("/")[0] for name in held} == {
        "reconciler", *(f"halo_infima_reconciler-{__version__}.{kind}" for kind in ("data", "dist-info")),
    }  # fmt: skip


def test_the_wheel_installs_a_man_page_for_each_command(wheel: zipfile.ZipFile) -> None:
    held = {name.rpartition("/")[2] for name in wheel.namelist() if "/share/man/man1/" in name}
    assert held == set(man_pages())
    assert {"reconciler.1", "reconciler-ci-summary.1", *(f"reconciler-{name}.1" for name in COMMANDS)} <= held


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("reconciler.1", "--mappings FILE The desired state."),
        ("reconciler-apply.1", "--auto-approve Do not ask. It lifts no safety rule."),
        ("reconciler-ci.1", "reconciler-ci-verdict(1) End the job:"),
    ],
)
def test_a_man_page_is_read_without_complaint_and_shows_the_help(name: str, says: str) -> None:
    page = man_pages()[name]
    drawn = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-cbou"], input=page, capture_output=True, text=True, check=True
    )
    assert drawn.stderr == ""
    shown = " ".join(drawn.stdout.split())
    assert "Examples: reconciler " in shown
    assert says in shown
    assert "\\" not in shown


def test_name_version_and_links_are_on_the_index_page(metadata: email.message.Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("halo-infima-reconciler", __version__)
    labels = {value.partition(",")[0] for value in metadata.get_all("Project-URL", [])}
    assert labels == {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    offered = {value.rpartition(" ")[2] for value in metadata.get_all("Classifier", []) if ":: 3." in value}
    assert offered == {"3.11", "3.12", "3.13", "3.14"}


def test_every_link_of_the_index_page_is_whole_and_leads_to_a_file(metadata: email.message.Message) -> None:
    page = str(metadata.get_payload())
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    prefix = re.compile(rf"https://reconciler\.example/(?:blob|raw)/v{re.escape(__version__)}/([^#]+)")
    own = [found[1] for link in links if (found := prefix.match(link))]
    assert len(own) > 10
    assert [path for path in own if not (ROOT / path).exists()] == []


def test_the_version_that_the_guides_show_is_this_one() -> None:
    shown = re.compile(r"(?:pin VERSION=|halo-infima-reconciler(?:==|:)|rev: v)(\d+\.\d+\.\d+)")
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / ".pre-commit-hooks.yaml"]
    found = [(path.name, version) for path in files for version in shown.findall(path.read_text(encoding="utf-8"))]
    assert len(found) >= 3
    assert [(name, version) for name, version in found if version not in {__version__, "1.2.3"}] == []


@pytest.mark.skipif(not Path(f"{sys.prefix}-sbom").exists(), reason="`make sbom` brings the tool; CI calls it before")
def test_the_bill_of_materials_is_the_lock_and_the_same_each_time(tmp_path: Path) -> None:
    texts = []
    for folder in ("one", "two"):
        subprocess.run(
            [str(ROOT / ".ci" / "sbom"), str(tmp_path / folder)],
            env=os.environ | {"VENV": sys.prefix}, capture_output=True, check=True, timeout=100,
        )  # fmt: skip
        texts.append((tmp_path / folder / f"halo_infima_reconciler-{__version__}.cdx.json").read_bytes())
    assert texts[0] == texts[1]
    document = json.loads(texts[0])
    about = document["metadata"]["component"]
    assert (document["bomFormat"], about["name"], about["version"]) == (
        "CycloneDX", "halo-infima-reconciler", __version__,
    )  # fmt: skip
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)
    assert sorted((part["name"], part["version"]) for part in document["components"]) == sorted(locked)


@pytest.mark.parametrize(
    ("tag", "edits", "said"),
    [
        ("v{version}", {}, ""),
        ("v9.9.9", {}, "says {version}"),
        ("v{version}", {"CHANGELOG.md": ("## [{version}] - ", "## [Unreleased] ")}, "has no entry"),
        ("v{version}", {"pyproject.toml": ("https://example.com", "https://reconciler.example")}, "a placeholder"),
    ],
)
def test_a_tag_is_released_only_when_all_is_in_order(
    tmp_path: Path, dist: Path, tag: str, edits: dict[str, tuple[str, str]], said: str
) -> None:
    changelog = (
        f"## [Unreleased]\n\n## [{__version__}] - 2026-11-29\n\n- This one.\n\n## [0.0.1] - 2026-01-01\n\n- Old.\n"
    )
    files = {
        ".ci/release-notes": (ROOT / ".ci" / "release-notes").read_text(encoding="utf-8"),
        "reconciler/__init__.py": (CODE / "__init__.py").read_text(encoding="utf-8"),
        "CHANGELOG.md": changelog,
        "pyproject.toml": 'Source = "https://example.com/owner/name"\n',
    }
    for name, text in files.items():
        before, after = (words.format(version=__version__) for words in edits.get(name, ("", "")))
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace(before, after) if before else text, encoding="utf-8")
    done = subprocess.run(
        ["bash", str(tmp_path / ".ci" / "release-notes"), tag.format(version=__version__), str(dist)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if said:
        assert done.returncode == 1
        assert said.format(version=__version__) in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "- This one." in done.stdout
        assert "- Old." not in done.stdout
        assert f"{hashlib.sha256((dist / WHEEL).read_bytes()).hexdigest()}  {WHEEL}" in done.stdout


# ---------------------------------------------------------------------------------------------------------------------
# A repository that `init` made
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fresh from `init`, with no dependencies to fetch: what is tried is how the program itself gets in."""
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    (tmp_path / "requirements.txt").write_text("# none\n", encoding="utf-8")
    return tmp_path


def make(folder: Path, *words: str, index: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run make there, with one folder as the only package index."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "MAKE", "MFLAGS", "PYTHON"))}
    variables |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(index or folder)}
    return subprocess.run(
        ["make", f"PYTHON={sys.executable}", *words],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def installed(folder: Path) -> list[str]:
    packages = next((folder / ".venv" / "lib").iterdir()) / "site-packages"
    return sorted(path.name for path in packages.glob("halo_infima_reconciler-*"))


def test_a_release_is_pinned_by_its_hash_with_its_dependencies(repository: Path, dist: Path) -> None:
    done = make(repository, "pin", f"VERSION={__version__}", index=dist)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        rf"halo-infima-reconciler=={re.escape(__version__)} --hash=sha256:[0-9a-f]{{64}}\n",
        (repository / "program.txt").read_text(encoding="utf-8"),
    )
    assert (repository / "requirements.txt").read_bytes() == (ROOT / "requirements" / "run.txt").read_bytes()


@pytest.mark.parametrize("way", ["program.txt", "vendor"])
def test_the_program_is_installed_from_where_it_is_pinned(repository: Path, dist: Path, way: str) -> None:
    if way == "vendor":
        shutil.copytree(dist, repository / "vendor")
    else:
        make(repository, "pin", f"VERSION={__version__}", index=dist)
        (repository / "requirements.txt").write_text("# none\n", encoding="utf-8")
    done = make(repository, "tool", index=dist)
    assert done.returncode == 0, done.stderr
    assert installed(repository) == [f"halo_infima_reconciler-{__version__}.dist-info"]


def test_another_file_under_the_pinned_name_is_refused(repository: Path, dist: Path) -> None:
    make(repository, "pin", f"VERSION={__version__}", index=dist)
    (repository / "requirements.txt").write_text("# none\n", encoding="utf-8")
    index = repository / "index"
    shutil.copytree(dist, index)
    with zipfile.ZipFile(index / WHEEL, "a") as file:
        file.writestr("reconciler/evil.py", "")
    done = make(repository, "tool", index=index)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert installed(repository) == []


@pytest.mark.parametrize(("places", "found"), [((), "none"), (("program.txt", "vendor"), "program.txt vendor/")])
def test_no_program_or_two_is_told_with_both_ways_out(repository: Path, places: tuple[str, ...], found: str) -> None:
    if "vendor" in places:
        (repository / "vendor").mkdir()
        (repository / "vendor" / WHEEL).touch()
    if "program.txt" in places:
        (repository / "program.txt").touch()
    done = make(repository, "tool")
    assert done.returncode == 2
    assert f"found: {found}" in done.stderr
    assert "make pin VERSION=" in done.stderr
    assert "vendor/" in done.stderr


def test_pin_asks_for_the_release(repository: Path) -> None:
    done = make(repository, "pin")
    assert done.returncode == 2
    assert "make pin VERSION=1.2.3" in done.stderr
