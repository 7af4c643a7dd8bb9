"""Create .venv and install the series into it; do nothing when nothing changed.

python tools/setup.py              a CPU build of torch where no NVIDIA card is found
python tools/setup.py --torch cuda the default build of torch
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def pip_install(*arguments, quiet=False):
    """Run pip in .venv; True when it succeeded."""
    output = subprocess.DEVNULL if quiet else None
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-qq", *arguments]
    return subprocess.run(command, stdout=output, stderr=output).returncode == 0


def torch_pins(pyproject):
    """{'torch': '2.13.0', 'torchvision': '0.28.0'}, from the one list of dependencies."""
    listed = (re.fullmatch(r"(torch|torchvision)==(\S+)", d) for d in pyproject["project"]["dependencies"])
    return dict(match.groups() for match in listed if match)


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
    """Hash of what decides the content of .venv."""
    return hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes() + wanted.encode()
    ).hexdigest()


def up_to_date(wanted):
    return STAMP.exists() and STAMP.read_text() == stamp(wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", choices=["auto", "cpu", "cuda"], default="auto")
    wanted = parser.parse_args().torch

    if up_to_date(wanted):
        return 0
    if sys.version_info < (3, 11):  # noqa: UP036  it may be started by any Python
        print(f"Python 3.11 or newer is needed; this is {platform.python_version()}", file=sys.stderr)
        return 1
    if not PYTHON.exists():
        try:
            venv.create(VENV, with_pip=True)
        except subprocess.CalledProcessError:
            print(
                "Python's venv is not complete: on Debian and Ubuntu, apt install python3-venv",
                file=sys.stderr,
            )
            shutil.rmtree(VENV, ignore_errors=True)
            return 1
    print("Installing into .venv (about two minutes, 1.5 GB) …", flush=True)
    install_torch(torch_pins(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))), wanted)
    if not pip_install("-e", f"{ROOT}[test]"):
        return 1
    STAMP.write_text(stamp(wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
