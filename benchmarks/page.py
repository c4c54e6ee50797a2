"""The page in a real Chromium: from drop to answer, a whole dataset in one upload, and a long table.

    PARAISITE_MIRROR=... python benchmarks/page.py [--repeats 20] [--workers 2] [--json FILE]

The first part drops one CIF on a page of a running `paraisite serve`, and stops when κ is in sight. The second sends
the archive of `mp_stable`, and meanwhile types into the search and scrolls: the time until the next picture is drawn
says whether the page is usable. The third scrolls through the finished table. Without a data folder, there is only the
first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import FLAGS, chromium
from serve import EXAMPLES, percentiles  # beside this file
from services import serving

SCROLL = """async step => {
    const start = performance.now();
    scrollBy(0, step);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - start;
}"""


DROP = """([name, text]) => new Promise(done => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    const start = performance.now();
    new MutationObserver((_, watching) => {
        if (!document.querySelector(".big b")) return;
        watching.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    }).observe(document.body, { childList: true, subtree: true });
    document.getElementById("main").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
})"""


def drops(page: Page, repeats: int) -> dict[str, float]:
    """Time from the drop of one CIF until its κ is drawn; the page is at rest before."""
    times = []
    for i in range(repeats):
        path = EXAMPLES[i % len(EXAMPLES)]
        page.wait_for_selector(".chips button")
        times.append(page.evaluate(DROP, [path.name, path.read_text()]) / 1000)
        page.wait_for_selector(".plot circle.own")
        page.wait_for_selector(".stage canvas")
        page.click(".brand")
    return percentiles(times)


def dataset(page: Page, archive: Path) -> dict[str, Any]:
    """One upload of many crystals, and the page meanwhile and afterwards."""
    page.wait_for_selector(".chips button")
    start = time.perf_counter()
    page.set_input_files("#files", archive)
    page.wait_for_selector(".row .value")
    first = time.perf_counter() - start
    meanwhile = []
    while "…" in page.locator(".progress").inner_text():
        before = time.perf_counter()
        page.fill("#filter-q", "O" if len(meanwhile) % 2 else "")
        page.evaluate(SCROLL, 500)
        meanwhile.append(time.perf_counter() - before)
        page.wait_for_timeout(100)
    page.fill("#filter-q", "")
    seconds = time.perf_counter() - start
    page.evaluate("scrollTo(0, 0)")
    frames = [page.evaluate(SCROLL, 1700) / 1000 for _ in range(60)]
    return {
        "rows": int(page.locator(".progress").inner_text().partition(" ")[0].replace(",", "")),
        "first_row_s": first,
        "all_rows_s": seconds,
        "typing_and_scrolling_meanwhile": percentiles(meanwhile),
        "rows_in_the_document": page.locator(".body .row").count(),
        "scrolling_afterwards": percentiles(frames),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, Any] = {"workers": args.workers, "cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
    with serving("--workers", args.workers) as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        found["chromium"] = browser.version
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(service.url)
        found["drop_to_answer"] = drops(page, args.repeats)
        mirror = os.environ.get("PARAISITE_MIRROR")
        if mirror and (archive := Path(mirror) / "mp_stable" / "cif.zip").is_file():
            found["mp_stable"] = dataset(page, archive)
        browser.close()
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
