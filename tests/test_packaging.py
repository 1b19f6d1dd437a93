"""The wheel, built from this checkout and used from outside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST = 16 * 2**20  # bytes an asset may have


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a directory of its own; what it depends on comes from this environment."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, "--target", target, wheel], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def outside(target: Path, *command: str, cwd: Path) -> str:
    """What `command` prints where the checkout is out of sight."""
    place = {**os.environ, "PYTHONPATH": str(target), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=place, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_what_phosphene_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    travelling = [
        path.relative_to(ROOT).as_posix()
        for folder in ("ember", "fonts")
        for path in (ROOT / "assets" / folder).rglob("*")
        if path.is_file()
    ]
    assert travelling
    assert {f"phosphene/{name}" for name in travelling} <= names
    assert "phosphene/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    source = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src").rglob("*.py")}
    assert source <= names
    assert not [name for name in names if name.startswith(("tests", "configs", "docs"))]


def test_no_asset_is_too_big_for_a_repository() -> None:
    big = [p for p in (ROOT / "assets").rglob("*") if p.is_file() and p.stat().st_size >= MOST]
    assert big == []


def test_the_installed_wheel_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = "import phosphene; print(phosphene.__file__)"
    assert outside(installed, sys.executable, "-c", where, cwd=tmp_path).startswith(str(installed))
    script = str(installed / "bin" / "phosphene")
    assert "generate" in outside(installed, sys.executable, script, "--help", cwd=tmp_path)
    asset = "from phosphene.assets import asset; print(asset('fonts'))"
    assert str(installed) in outside(installed, sys.executable, "-c", asset, cwd=tmp_path)


def test_what_is_pinned_is_what_is_asked_for() -> None:
    """Every direct dependency is pinned, in a version that pyproject.toml accepts."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    optional = [r for extra in project["optional-dependencies"].values() for r in extra]
    for text in [*project["dependencies"], *optional]:
        asked = Requirement(text)
        assert pins[asked.name.lower()] in asked.specifier, text


def test_set_up_names_no_host() -> None:
    for name in ("Makefile", "constraints.txt", "pyproject.toml", ".ci/run"):
        text = (ROOT / name).read_text()
        assert "://" not in text, name
        assert "index-url" not in text, name
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
