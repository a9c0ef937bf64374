"""A disk that fills up."""

import shutil
import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """Folder on a disk of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only the superuser may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)
