"""Debian's chromium, and a fresh visitor of the page."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from detector.verdict import Verdict

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
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
    assert Path(CHROMIUM).exists(), "the page is tested with chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def give(page: Page, path: Path | dict) -> None:
    page.set_input_files("#image input[type=file]", path)


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
