"""Create .venv and install the series into it; do nothing when nothing changed.

python tools/setup.py              a CPU build of torch where no NVIDIA card is found
python tools/setup.py --torch cuda the default build of torch
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import console  # noqa: F401  characters that the console cannot show

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed"
CONSTRAINTS = ROOT / "constraints.txt"  # the versions that the stored outputs were made with
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def pip_install(*arguments, quiet=False):
    """Run pip in .venv; True when it succeeded."""
    return works(PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-qq", *arguments, quiet=quiet)


def works(*command, quiet=True):
    """Run a command; True when it is there and succeeded."""
    output = subprocess.DEVNULL if quiet else None
    return shutil.which(command[0]) is not None and not subprocess.run(command, stdout=output, stderr=output).returncode


def torch_pins(constraints):
    """{'torch': '2.13.0', 'torchvision': '0.28.0'}, from the text of constraints.txt."""
    return dict(re.findall(r"^(torch|torchvision)==(\S+)", constraints, re.MULTILINE))


def install_torch(pins, wanted):
    """Install torch alone, so that pip cannot choose gigabytes of CUDA; say in one line what was chosen."""
    needs_choice = platform.system() == "Linux" and platform.machine() == "x86_64"
    if wanted == "cuda" or not needs_choice or (wanted == "auto" and shutil.which("nvidia-smi")):
        print("torch: the default build for this machine")
        return
    torch, torchvision = (f"{name}=={version}+cpu" for name, version in pins.items())
    for source, arguments in {
        "your package index": [torch, torchvision],
        "your package index (torchvision: default build)": [torch],
        "PyTorch's CPU index": [torch, torchvision, "--index-url", CPU_INDEX],
    }.items():
        if pip_install(*arguments, quiet=True):
            print(f"torch: the CPU build, from {source}")
            return
    print("torch: no CPU build found, so the default build (large)")


def stamp(wanted):
    """What decides the content of .venv: place and Python, the choice of torch, the lists of dependencies."""
    files = ROOT / "pyproject.toml", CONSTRAINTS, Path(__file__)
    listed = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return [f"{ROOT} {platform.python_version()}", wanted, listed]


def stored():
    """The stamp of the last installation, or empty lines."""
    lines = STAMP.read_text(encoding="utf-8").splitlines() if STAMP.exists() else []
    return lines if len(lines) == 3 else ["", "", ""]


def up_to_date(wanted):
    return stored() == stamp(wanted)


def make_venv():
    """A fresh .venv; False where Python's venv is not complete."""
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except subprocess.CalledProcessError:
        print("Python's venv is not complete: on Debian and Ubuntu, apt install python3-venv", file=sys.stderr)
        shutil.rmtree(VENV, ignore_errors=True)
        return False
    settings = VENV / "share" / "jupyter" / "lab" / "settings"  # JupyterLab need not ask about news
    settings.mkdir(parents=True)
    news = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    (settings / "overrides.json").write_text(json.dumps(news), encoding="utf-8")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", choices=["auto", "cpu", "cuda"], default="auto")
    wanted = parser.parse_args().torch
    if sys.version_info < (3, 11):  # noqa: UP036  it may be started by any Python
        print(f"Python 3.11 or newer is needed; this is {platform.python_version()}", file=sys.stderr)
        return 1

    place, choice, _ = stored()
    wanted = choice if wanted == "auto" and choice else wanted  # a choice once made stays
    if up_to_date(wanted):
        return 0
    moved = place != stamp(wanted)[0] or not works(PYTHON, "-m", "pip", "--version")
    if (moved or choice != wanted) and not make_venv():
        return 1
    STAMP.unlink(missing_ok=True)
    print("Installing into .venv (two to five minutes, 1.7 GB of disk) …", flush=True)
    install_torch(torch_pins(CONSTRAINTS.read_text(encoding="utf-8")), wanted)
    if not pip_install("-c", CONSTRAINTS, "-e", f"{ROOT}[test]"):
        print("The installation failed (see above). It needs the internet once.", file=sys.stderr)
        return 1
    STAMP.write_text("\n".join(stamp(wanted)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
