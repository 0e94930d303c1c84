"""Debian's chromium, and a fresh visitor of the page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

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


@contextmanager
def visitor(context: BrowserContext, url: str) -> Iterator[Page]:
    """The requests of the page are in `page.asked`; whatever a script stumbles over fails the test."""
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(url)
    expect(page.locator("#examples img")).to_have_count(6, timeout=WAIT)
    yield page
    assert page.complaints == []
    page.close()
