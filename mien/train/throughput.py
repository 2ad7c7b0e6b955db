"""How fast a run goes and what it takes: clips, waiting for data, arithmetic, memory.

MFU (model FLOPs utilisation) is the arithmetic the model needs, divided by what the device could do in that time by
its data sheet.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mien import distributed

PEAK_BFLOAT16_TFLOPS = {
    "B200": 2250.0,
    "H200 NVL": 835.0,
    "H200": 989.0,
    "GH200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
}
"""Dense bfloat16 matrix products in TFLOP/s by NVIDIA's data sheets, by words of a device's name; the first that fits
("NVIDIA A100-SXM4-80GB" has the words NVIDIA, A100, SXM4, 80GB)."""


class Throughput:
    """Counts steps between two rows of the log. Waiting counts, pauses (evaluation, checkpoints) do not."""

    def __init__(self, *, device: str, precision: str) -> None:
        self.device = device
        self.peak_tflops = peak_tflops(device, precision=precision)
        self._restart()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        asked = time.perf_counter()
        yield
        self._waited_s += time.perf_counter() - asked

    @contextmanager
    def paused(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._since += time.perf_counter() - began

    def count(self, *, clips: int, flops: float) -> None:
        """A step is done: `clips` over all processes, `flops` on this one."""
        self._clips += clips
        self._flops += flops

    def row(self) -> dict[str, float]:
        """What was measured since the last row, for all processes together; the next row starts here.

        `clips_per_s` of all processes; `data_wait` as a share of the time; `model_tflops_per_s` a process; `mfu` where
        the device's peak is known; `peak_memory_gib` since the start, of the process that took most: of the GPU's
        memory as tensors take it, on a CPU all that the process held at once.
        """
        elapsed = time.perf_counter() - self._since
        tflops_per_s = distributed.mean(self._flops / elapsed / 1e12)
        row = {
            "clips_per_s": self._clips / elapsed,
            "data_wait": distributed.mean(self._waited_s / elapsed),
            "model_tflops_per_s": tflops_per_s,
            "peak_memory_gib": distributed.largest(peak_memory_gib(self.device)),
        }
        if self.peak_tflops is not None:
            row["mfu"] = tflops_per_s / self.peak_tflops
        self._restart()
        return row

    def _restart(self) -> None:
        self._since = time.perf_counter()
        self._waited_s, self._clips, self._flops = 0.0, 0, 0.0


def peak_tflops(device: str, *, precision: str) -> float | None:
    """What the device's data sheet promises in TFLOP/s; None where no data sheet is at hand."""
    if not device.startswith("cuda") or precision != "bfloat16":
        return None
    words = set(torch.cuda.get_device_name(device).replace("-", " ").split())
    return next((peak for known, peak in PEAK_BFLOAT16_TFLOPS.items() if words >= set(known.split())), None)


def peak_memory_gib(device: str) -> float:
    """The most memory that was held at once so far."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**30
    import resource  # not on Windows, where training on a CPU is left to others

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
