"""Whether a machine has what ManiSkill needs; ManiSkill itself is not imported."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path

from harness.core import Missing

__all__ = ["gpu", "software_vulkan"]

FOLDERS = ("/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d")
BROKEN = (1, 1, 230)
"""The newest Vulkan version that is known not to work.

Mesa 22.3, as in Debian 12, writes it into its manifest and lacks features that SAPIEN needs; Mesa
25.0 (1.4.305) works.
"""
REMEDY = (
    "apt-get install mesa-vulkan-drivers libvulkan1; Debian 12 needs them from backports: "
    "apt-get install -t bookworm-backports ..."
)


def software_vulkan() -> Missing | None:
    """What is wrong with the software Vulkan driver, or None.

    SAPIEN needs a Vulkan driver even where nothing is drawn. Mesa's lavapipe draws in software, so
    that all machines draw alike.
    """
    versions = [version for path in _manifests() if (version := _version(path)) is not None]
    if not versions:
        return Missing("no software Vulkan driver (Mesa's lavapipe) is installed", REMEDY)
    if max(versions) <= BROKEN:
        return Missing(
            "the software Vulkan driver is too old: Mesa 22 does not work with SAPIEN", REMEDY
        )
    return None


def gpu() -> Missing | None:
    """What is missing for the GPU simulation, or None: an NVIDIA GPU and a PyTorch that uses it."""
    if not Path("/proc/driver/nvidia/version").exists():
        return Missing(
            "the GPU simulation needs an NVIDIA GPU, and there is none",
            "use a machine with one, or the CPU suites",
        )
    if importlib.metadata.version("torch").endswith("+cpu"):
        return Missing(
            "the GPU simulation needs a PyTorch with CUDA; the one installed is for the CPU",
            "pip install torch (a CUDA build)",
        )
    return None


def _manifests() -> Iterator[Path]:
    """The driver manifests that Vulkan's loader reads."""
    for variable in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES"):
        if os.environ.get(variable):
            yield from (Path(name) for name in os.environ[variable].split(os.pathsep) if name)
            return
    for folder in (*FOLDERS, Path.home() / ".local/share/vulkan/icd.d"):
        yield from sorted(Path(folder).glob("*.json"))


def _version(manifest: Path) -> tuple[int, ...] | None:
    """The Vulkan version in lavapipe's manifest; None for a damaged one or another driver's."""
    try:
        driver = json.loads(manifest.read_text())["ICD"]
        return (
            tuple(map(int, driver["api_version"].split(".")))
            if "lvp" in driver["library_path"]
            else None
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
