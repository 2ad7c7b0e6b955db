"""What holds for all tests: shapes in signatures are checked, runs repeat, two threads suffice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from jaxtyping import install_import_hook

install_import_hook("mien", "shape_check.checked")  # before anything imports mien

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's background jobs, and their children, ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # tests run beside each other
settings.register_profile("mien", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("mien")


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test draws the same random numbers, whichever tests ran before it."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture
def real_data() -> Path:
    """The folder of real data named by MIEN_TEST_DATA; without it the test is skipped."""
    root = os.environ.get("MIEN_TEST_DATA")
    if root is None:
        pytest.skip("MIEN_TEST_DATA is not set; it names the folder that holds the real data")
    return Path(root)
