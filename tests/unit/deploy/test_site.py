"""The documents as a site."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.site import build as site
from gateway.http.asyncapi import make_asyncapi
from gateway.http.openapi import make_document
from tests.documents import DOCUMENTS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.build(folder)
    return folder


def test_every_document_is_a_page_that_the_navigation_names(built: Path) -> None:
    menu = (built / "index.html").read_text()
    for document in DOCUMENTS:
        path = str(document.relative_to(site.ROOT))
        page = Path(site.PAGES.get(path, path)).with_suffix(".html")
        page = page.with_name("index.html") if page.stem == "README" else page
        assert (built / page).exists()
        assert f'"./{page}"' in menu or str(page) == "index.html"


def test_the_site_loads_nothing_from_elsewhere(built: Path) -> None:
    for page in built.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?(https?:[^\s\">]+)", page.read_text()
        )
        assert not loaded, page


def test_the_reference_has_every_operation_schema_and_channel(built: Path) -> None:
    page, document, messages = (built / "docs" / "reference.html").read_text(), make_document(), make_asyncapi()
    headings = set(re.findall(r'<h3 id="([^"]+)"', page))
    assert {name.lower() for name in document["components"]["schemas"]} <= headings
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}</code>" in page, (method, path)
    assert all(f"<code>{channel['address']}</code>" in page for channel in messages["channels"].values())
    example = document["components"]["schemas"]["GenerateRequest"]["examples"][0]
    assert str(next(iter(example.values()))) in page


def test_pictures_are_there(built: Path) -> None:
    for page in built.rglob("*.html"):
        for picture in re.findall(r'<img\b[^>]*?\bsrc="([^":]+)"', page.read_text()):
            assert (page.parent / picture).exists(), (page, picture)


@pytest.mark.parametrize("link", ["files.md#no-such-heading", "no-such-document.md"])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    root = tmp_path / "root"
    shutil.copytree(site.ROOT / "docs", root / "docs")
    for path in site.PAGES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(site.ROOT / path, root / path)
    monkeypatch.setattr(site, "ROOT", root)
    with (root / "docs" / "daw.md").open("a") as document:
        document.write(f"\n[here]({link})\n")
    with pytest.raises(subprocess.CalledProcessError):
        site.build(tmp_path / "site")
