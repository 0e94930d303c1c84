"""Debian's chromium, and a fresh visitor of the page."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from detector.verdict import Verdict

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or ""  # the first loads twice as fast
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 60_000  # milliseconds; a busy machine is no failure


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    assert CHROMIUM, "the page is tested with chromium: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def give(page: Page, path: Path | dict) -> None:
    page.set_input_files("#image input[type=file]", path)


def drag(page: Page, selector: str, *files) -> None:
    """A drag from the desktop, as the browser itself makes it."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + min(box["height"] / 2, 40)}
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})


def percent(p: float) -> str:
    return "<1 %" if p < 0.01 else ">99 %" if p > 0.99 else f"{p * 100:.0f} %"


def answered(page: Page, verdict: Verdict, name: str) -> None:
    """The page says just this, of just this picture."""
    expect(page.locator("#image .view")).to_have_attribute("aria-label", re.compile(f"^{name}, under"), timeout=WAIT)
    expect(page.locator("#image .percent")).to_have_text([percent(p) for p in verdict.probs.values()])
    expect(page.locator("#image .viewer")).to_have_class("viewer answered")


@contextmanager
def visitor(context: BrowserContext, url: str) -> Iterator[Page]:
    """The requests of the page are in `page.asked`; whatever a script stumbles over fails the test."""
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(url)
    expect(page.locator("#examples .picture")).to_have_count(12, timeout=WAIT)
    yield page
    assert page.complaints == []
    page.close()


def overflowing(page: Page, scrolled: str = ".pictures") -> list[str]:
    """What runs over the right edge of the page, or has more in it than its width shows; `scrolled` may."""
    return page.evaluate(
        """(scrolled) => [...document.querySelectorAll("#title *, #rooms .html-container *")].filter((e) => {
        if (!e.checkVisibility() || e.closest(scrolled)) return false; // that scrolls sideways
        const cut = e.scrollWidth > e.clientWidth + 1 && e.clientWidth && getComputedStyle(e).display !== "inline";
        return e.getBoundingClientRect().right > innerWidth + 0.5 || (cut && !e.matches("select, canvas"));
    }).map((e) => e.outerHTML.slice(0, 80))""",
        scrolled,
    )


def axe(page: Page) -> list[str]:
    """What axe-core complains of, in all that is ours and shown."""
    found = Axe().run(page, context={"include": [["#title"], ["#rooms"]]}).response["violations"]
    return [f"{fault['id']}: {node['html'][:120]}" for fault in found for node in fault["nodes"]]
