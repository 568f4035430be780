"""
The pictures of the page in the documentation.

`python -m tests.browser.screenshots FOLDER` takes them.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cutmeshort.sandbox import Sandbox

from .chromium import PHONE, Page, Windows, expect, start_chromium
from .parts import follow_link, open_page, open_row
from .story import tell

_PORT = 8787  # the one of `python -m cutmeshort.sandbox`, as it is in the pictures
_LIGHT = {"color_scheme": "light"}
_DARK = {"color_scheme": "dark"}
_PHONE = {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
NAMES = [
    *("live-light", "live-dark", "open-light", "open-dark", "empty-light", "demo-light"),
    *("phone-chains", "phone-requests-dark", "phone-break"),
]


def take_screenshots(windows: Windows, sandbox: Sandbox, folder: Path) -> None:
    """Write a PNG file for each of NAMES to a folder, from an empty sandbox."""
    folder.mkdir(parents=True, exist_ok=True)

    def save(name: str, page: Page, *, whole: bool = True) -> None:
        # Playwright would write the file in a thread, which runs as long as the browser.
        image = page.screenshot(full_page=whole, animations="disabled")
        (folder / f"{name}.png").write_bytes(image)

    save("empty-light", open_page(windows, sandbox, **_LIGHT), whole=False)
    save("demo-light", _demo(windows, sandbox))
    sandbox.clear()
    tell(sandbox)
    for theme, options in (("light", _LIGHT), ("dark", _DARK)):
        save(f"live-{theme}", page := open_page(windows, sandbox, **options))
        open_row(page, re.compile("409.refused"))
        page.mouse.move(0, 0)
        save(f"open-{theme}", page)
    for name, options in (
        ("chains", {**_PHONE, **_LIGHT}),
        ("requests-dark", {**_PHONE, **_DARK}),
        ("break", {**_PHONE, **_LIGHT}),
    ):
        page = open_page(windows, sandbox, **options)
        tab = name.partition("-")[0].capitalize()
        page.get_by_role("button", name=tab, exact=True).click()
        save(f"phone-{name}", page, whole=False)


def _demo(windows: Windows, sandbox: Sandbox) -> Page:
    page = windows.open(f"{sandbox.url}/demo", **_LIGHT)
    follow_link(page)
    page.get_by_label("Customer id").fill("user_44")
    for number, name in enumerate(("Sign up", "Pay"), start=2):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("status").filter(has_text="✓")).to_have_count(number)
    page.get_by_role("heading", name="Demo shop").click()  # moves the focus away
    return page


@contextlib.contextmanager
def _opened() -> Iterator[tuple[Windows, Sandbox]]:
    fonts = str(Path(__file__).with_name("fonts.conf"))
    with start_chromium(FONTCONFIG_FILE=fonts) as browser, Sandbox(port=_PORT) as sandbox:
        windows = Windows(browser)
        yield windows, sandbox
        windows.close()


if __name__ == "__main__":
    with _opened() as (shown, filled):
        take_screenshots(shown, filled, Path(sys.argv[1]))
    sys.exit("\n".join(shown.problems) or None)
