"""Each notebook in a real JupyterLab in a real browser: run it, move every control, click every prediction."""

import json
import math
import shutil

import nbformat
import pytest
from lab import CHROMIUM, FLAGS, MISSING, NotebookPage, jupyterlab
from notebook_text import shortened
from play import ROOT
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=MISSING)
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
KEPT = ROOT / ".cache" / "browser"  # screenshots and figures of the last run

# Time from a key press to the first picture painted after it.
MOVE = """
async ([handle, picture, key]) => {
    const before = performance.now();
    const changed = new Promise(resolve => {
        const painted = () => requestAnimationFrame(() => resolve(true));
        const observer = new MutationObserver(() => { observer.disconnect(); painted(); });
        observer.observe(picture, { childList: true, subtree: true, attributes: true });
        setTimeout(() => { observer.disconnect(); resolve(false); }, 3000);
    });
    handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    return (await changed) ? performance.now() - before : null;
}
"""


# Back to where the slider was, so that the next one is tried from the first state.
RESTORE = """
([handle, start]) => {
    for (let key = 0; key < 400 && handle.getAttribute('aria-valuenow') !== start; key++)
        handle.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            cell.source = shortened(cell)
        nbformat.write(notebook, path)
    with jupyterlab(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.mark.parametrize("name", NAMES)
def test_notebook_in_the_browser(name, address, browser):
    kept = KEPT / name.removesuffix(".ipynb")
    shutil.rmtree(kept, ignore_errors=True)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    notebook = NotebookPage(page, address, f"notebooks/{name}")
    notebook.run_all()
    assert notebook.faults() == []
    notebook.screenshots(kept)

    guesses = page.query_selector_all(".widget-toggle-buttons")
    for guess in guesses:
        for button in guess.query_selector_all("button"):
            button.click()
            page.wait_for_timeout(100)
            box = button.evaluate_handle("b => b.closest('.widget-vbox')")
            assert button.inner_text() in box.as_element().inner_text().partition("You say")[2]
    assert len(guesses) >= 3
    check_that_a_guess_survives(page)
    check_names(page)

    times = [time for box in explorers(page) for time in move_controls(page, box, kept)]
    times.sort()
    figures = {"moves": len(times), "median": times[len(times) // 2], "p95": times[math.ceil(len(times) * 0.95) - 1]}
    (kept / "milliseconds.json").write_text(json.dumps(figures))
    print(name, figures)
    assert notebook.faults() == []
    page.close()


def test_the_next_day(address, browser):
    """A notebook that was saved with its outputs shows them again without a kernel: no 'model not found'."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    notebook = NotebookPage(page, address, "notebooks/00_start_here.ipynb")
    notebook.run_all()
    notebook.save_and_stop()
    page.close()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/lab/tree/notebooks/00_start_here.ipynb?token=test&reset")
    page.wait_for_selector(".jp-Notebook .widget-toggle-buttons", timeout=90_000)
    page.wait_for_selector(".jp-OutputArea .widget-html-content svg", timeout=90_000)
    assert "model not found" not in page.inner_text(".jp-Notebook")
    page.close()


def check_that_a_guess_survives(page):
    """A click makes the cell active, so the next Shift+Enter runs it again."""
    button = page.query_selector(".widget-toggle-buttons button")
    button.click()
    said = button.inner_text()
    cell = button.evaluate_handle("b => b.closest('.jp-Cell')").as_element()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Enter")
    page.wait_for_timeout(1500)
    assert said in cell.inner_text().partition("You say")[2]


def check_names(page):
    """Pictures have alt text and sliders have names that a screen reader can say."""
    page.wait_for_timeout(1500)
    pictures = page.eval_on_selector_all(".jp-OutputArea-output > img", "nodes => nodes.map(n => n.alt)")
    assert pictures and all(len(alt.split()) >= 5 for alt in pictures), pictures
    sliders = page.eval_on_selector_all(".noUi-handle", "nodes => nodes.map(n => n.ariaLabel)")
    assert all(sliders), sliders


def explorers(page):
    return [box for box in page.query_selector_all(".jp-OutputArea-output > .widget-vbox") if box.query_selector("svg")]


def move_controls(page, box, kept):
    """Move every control of an explorer to both ends; each must change the picture. Yields the time of each step."""
    picture = next(view for view in box.query_selector_all(".widget-html-content") if view.query_selector("svg"))
    for place, handle in enumerate(box.query_selector_all(".noUi-handle")):
        seen, start = set(), handle.get_attribute("aria-valuenow")
        handle.scroll_into_view_if_needed()
        for key in ["End", "Home"]:
            page.evaluate(MOVE, [handle, picture, key])
            page.wait_for_timeout(400)
            seen.add(picture.inner_html())
            box.screenshot(path=kept / f"slider-{place}-{key}.png")
        assert len(seen) == 2, f"slider {place} is dead"
        for key in ["ArrowRight"] * 5 + ["ArrowLeft"] * 5:
            time = page.evaluate(MOVE, [handle, picture, key])
            if time is not None:
                yield time
            page.wait_for_timeout(120)
        page.evaluate(RESTORE, [handle, start])
        page.wait_for_timeout(400)
    for place, select in enumerate(box.query_selector_all("select")):
        seen = set()
        options = [option.inner_text() for option in select.query_selector_all("option")]
        for option in [*options[1:], options[0]]:
            select.select_option(label=option)
            page.wait_for_timeout(400)
            seen.add(picture.inner_html())
            box.screenshot(path=kept / f"choice-{place}-{option.replace('/', '-')}.png")
        assert len(seen) == len(options), f"choice {place} is dead"
