"""Builds the documents as a site: `uv run python -m deploy.site.build FOLDER`.

The documents link to each other, and to code, as they lie in the repository. Zensical wants one folder with nothing but
pages, so they are copied into one first. It checks every link and every anchor.
"""

import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.site.reference import reference

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).with_name("zensical.toml")
# Pages outside of docs/, by their path in the repository.
PAGES = {
    "README.md": "index.md",
    **{name: name for name in ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")},
    **{name: name for name in ("bench/README.md", "training/README.md")},
    **{
        f"clients/{name}/README.md": f"clients/{name}/README.md"
        for name in ("python", "swift", "typescript", "vectors")
    },
}
# Made from the API, and not in the repository.
REFERENCE = "docs/reference.md"
PICTURES = (".png", ".svg", ".webp")

_LINK = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<path>(?!https?:|mailto:|#)[^)#\s]+)(?P<fragment>#[^)\s]*)?\)")


def main() -> None:
    """Build into the folder that the command line names, and replace what is there."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m deploy.site.build FOLDER")
    build(Path(sys.argv[1]))


def build(target: Path) -> None:
    """Build the site into `target`.

    Raises:
        subprocess.CalledProcessError: if a link or an anchor leads nowhere; Zensical has printed which.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copy(CONFIGURATION, work)
        _assemble(work / "docs")
        program = Path(sys.executable).with_name("zensical")
        subprocess.run([program, "build", "--strict"], cwd=work, check=True)
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(work / "site", target)


def _assemble(folder: Path) -> None:
    pages = PAGES | {path: path for path in _documents()}
    for path, page in pages.items():
        text = (ROOT / path).read_text()
        for link in _LINK.finditer(text):
            picture = _target(path, link["path"])
            if picture.endswith(PICTURES):
                (folder / picture).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / picture, folder / picture)
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(_for_the_site(text, path, pages))
    (folder / REFERENCE).write_text(reference())


def _documents() -> list[str]:
    return [str(file.relative_to(ROOT)) for file in sorted((ROOT / "docs").glob("*.md"))]


def _for_the_site(text: str, path: str, pages: dict[str, str]) -> str:
    """The text with links to pages of the site. A link to code becomes its text, because the site has no code."""

    def rewritten(link: re.Match[str]) -> str:
        target = _target(path, link["path"])
        if target.endswith(PICTURES):
            return link[0]
        if target not in pages:
            return link["text"][1:-1] if (ROOT / target).exists() else link[0]
        relative = posixpath.relpath(pages[target], posixpath.dirname(pages[path]) or ".")
        return f"{link['text']}({relative}{link['fragment'] or ''})"

    return _LINK.sub(rewritten, text)


def _target(path: str, link: str) -> str:
    """Where a link of the document at `path` leads, from the root of the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


if __name__ == "__main__":
    main()
