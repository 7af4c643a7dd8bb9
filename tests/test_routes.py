"""The teacher's routes, run as in class, and then all that is left: without a network, training made short."""

import shutil
import subprocess
import sys

import pytest
from notebook_text import Document
from play import ROOT

COMMAND = ["unshare", "--net", "--map-root-user", "sh", "-c"]
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def namespaces_work():
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*COMMAND, "ip link set lo up || true"], capture_output=True).returncode == 0


def run(*arguments):
    """Run tests/run_route.py, in a network namespace with loopback only where the machine permits one."""
    command = [sys.executable, str(ROOT / "tests" / "run_route.py"), *map(str, arguments)]
    if namespaces_work():
        quoted = " ".join(f"'{part}'" for part in command)
        command = [*COMMAND, f"(ip link set lo up || ifconfig lo up) 2>/dev/null; {quoted}"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("minutes", [50, 30])
@pytest.mark.parametrize("name", NAMES)
def test_route(name, minutes):
    """Setup and the sections of the route, in that order and nothing else; behind the long one, all other cells."""
    if not Document(ROOT / "notebooks" / f"{name}.ipynb").route(minutes):
        pytest.skip("no route yet")
    done = run(name, minutes)
    assert "ran" in done.stdout, done.stderr[-2000:]
