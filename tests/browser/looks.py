"""The looks of the page: light, dark, on a phone, and as narrow as WCAG 2.2 asks for (1.4.10)."""

from typing import Literal

import pytest
from playwright.sync_api import ViewportSize

from tests.browser.studio import AXE, Studio

needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="needs the page's packages: run `just web`")

_Look = tuple[ViewportSize, Literal["light", "dark"]]
_LOOKS: dict[str, _Look] = {
    "light": ({"width": 1280, "height": 860}, "light"),
    "dark": ({"width": 1280, "height": 860}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
    "narrow": ({"width": 320, "height": 640}, "dark"),
}


def barriers(studio: Studio, within: str) -> list[str]:
    """What axe finds wrong with a part of the page in each look, and the looks in which the page is too wide."""
    found = []
    for name, (size, scheme) in _LOOKS.items():
        studio.page.set_viewport_size(size)
        studio.page.emulate_media(color_scheme=scheme)
        found += [f"{name}: {each}" for each in studio.violations(within)]
        page_width, window_width = studio.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if page_width > window_width:
            found.append(f"{name}: the page is {page_width} pixels wide")
    return found
