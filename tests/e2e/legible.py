"""Whether a page can be read: in light and dark, on a wide and a narrow window.

`CREDHELPER_PICTURES=FOLDER` keeps pictures of the pages that were looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.chromium import Chromium

# The variable is taken away from tests.
_PICTURES = os.environ.get("CREDHELPER_PICTURES")
# WCAG 2.2, 1.4.3: letters against their ground.
READABLE = 4.5
CONTRAST = """
const grey = c => { const v = c / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 };
const light = c => 0.2126 * grey(c[0]) + 0.7152 * grey(c[1]) + 0.0722 * grey(c[2]);
const colour = text => text.match(/[0-9.]+/g).map(Number);
const ground = e => {
    for (; e; e = e.parentElement) {
        const c = colour(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
};
const shown = [...document.querySelectorAll("h1, p, strong, code, label, button, input:not([type=hidden])")];
return shown.map(e => { const a = light(colour(getComputedStyle(e).color)), b = light(ground(e));
    return [e.tagName + ": " + e.textContent.slice(0, 30), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)] });
"""
GROUND = "return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
CARD = "const r = document.querySelector('main').getBoundingClientRect(); return [r.left + r.right, r.top + r.bottom]"
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def look_at(browser: Chromium, name: str) -> None:
    """The page is legible in light and dark, on a wide and a narrow window; and pictures of it."""
    for scheme in ("light", "dark"):
        for width in (900, 320):
            with browser.scheme(scheme, width=width):
                faint = [(what, ratio) for what, ratio in browser.run(CONTRAST) if ratio < READABLE]
                assert not faint, f"{name}, {scheme}: {faint}"
                assert browser.run(OVERFLOW) <= 0, f"{name} is wider than {width} points"
                assert browser.run(CARD) == pytest.approx([width, 640], abs=2), f"{name} is not in the middle"
                assert (sum(browser.run(GROUND)) / 3 > 128) is (scheme == "light")
            picture = browser.look(scheme, width=width)
            if _PICTURES:
                Path(_PICTURES).mkdir(parents=True, exist_ok=True)
                (Path(_PICTURES) / f"{name}-{scheme}-{width}.png").write_bytes(picture)
