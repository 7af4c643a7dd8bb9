"""The series runs with no network: in a network namespace with loopback only."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

COMMAND = ["unshare", "--net", "--map-root-user", "sh", "-c"]


def namespaces_work():
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*COMMAND, "ip link set lo up || true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not namespaces_work(), reason="this machine does not permit a network namespace")
@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))])
def test_notebook_runs_without_network(name, tmp_path):
    code = f"""
import socket, sys
sys.path.insert(0, {str(ROOT / "tools")!r})
import notebooks
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError:
    notebooks.execute(notebooks.NOTEBOOKS / {name!r})
    print("ran")
"""
    script = tmp_path / "run.py"
    script.write_text(code)
    up = "(ip link set lo up || ifconfig lo up) 2>/dev/null; "
    done = subprocess.run([*COMMAND, f"{up} {sys.executable} {script}"], capture_output=True, text=True)
    assert "ran" in done.stdout, done.stderr[-2000:]
