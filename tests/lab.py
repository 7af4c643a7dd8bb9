"""A real JupyterLab on copies of the notebooks, and a real browser to look at it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MISSING = "no chromium: apt install chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},  # as `make lab` sets it
}


@contextmanager
def jupyterlab(folder):
    """Serve `folder`; yields the address and the token's query."""
    for name, setting in SETTINGS.items():
        path = folder / ".settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(setting))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = dict(
        os.environ,
        JUPYTERLAB_SETTINGS_DIR=str(folder / ".settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(folder / ".workspaces"),
        OMP_NUM_THREADS="1",
    )
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ServerApp.token=test",
        f"--ServerApp.root_dir={folder}",
    ]
    with open(folder / ".log", "w") as log:
        command = [sys.executable, "-m", "jupyter", "lab", "--LabApp.expose_app_in_browser=True", *options]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/api?token=test")
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _wait(address):
    for _ in range(240):
        try:
            urllib.request.urlopen(address).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise TimeoutError(address)


class NotebookPage:
    """One notebook, open in a browser page."""

    def __init__(self, page, address, path):
        self.page = page
        page.goto(f"{address}/lab/tree/{path}?token=test&reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel", timeout=90_000
        )
        page.evaluate(
            """() => {
                window.faults = [];
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                kernel.iopubMessage.connect((_, message) => {
                    const { msg_type } = message.header, { content } = message;
                    if (msg_type === 'error') window.faults.push(content.ename + ': ' + content.evalue);
                    if (msg_type === 'stream' && content.name === 'stderr') window.faults.push(content.text);
                });
            }"""
        )

    def run_all(self):
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        waiting = "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('*'))"
        self.page.wait_for_function(waiting, timeout=300_000)
        self.settle()

    def save_and_stop(self):
        """Save the notebook and stop its kernel, as at the end of a day."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_timeout(2000)
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.wait_for_timeout(1000)

    def settle(self):
        self.page.wait_for_timeout(700)

    def faults(self):
        """Errors and warnings: of the kernel, and in the cells."""
        shown = self.page.eval_on_selector_all(
            "[data-mime-type*='error'], [data-mime-type*='stderr']", "nodes => nodes.map(n => n.textContent)"
        )
        told = self.page.evaluate("() => window.faults")
        # JupyterLab asks each new kernel for its widgets, before ipywidgets is imported there.
        return [
            fault for fault in told + shown if "jupyter.widget.control" not in fault and "No such comm" not in fault
        ]

    def screenshots(self, folder):
        """The whole notebook, a screen at a time."""
        folder.mkdir(parents=True, exist_ok=True)
        outer = ".jp-WindowedPanel-outer"
        top, number, end = 0, 0, False
        while not end:
            self.page.eval_on_selector(outer, f"e => {{ e.scrollTop = {top}; }}")
            self.page.wait_for_timeout(150)
            self.page.screenshot(path=folder / f"{number:02}.png")
            end, step = self.page.eval_on_selector(
                outer, "e => [e.scrollTop + e.clientHeight >= e.scrollHeight - 2, e.clientHeight]"
            )
            top, number = top + step, number + 1
