"""What the working processes of tests/serve/test_workers.py are told to do."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mien.errors import MienError
from mien.serve.refusal import Refused


def do(task: str, tell: Callable[[str, int, int], None]) -> Any:
    kind, _, rest = task.partition(" ")
    match kind:
        case "echo":
            tell("echo", 1, 2)
            return rest
        case "pid":
            return os.getpid()
        case "crash":
            os.abort()
        case "sleep":
            time.sleep(600)
        case "child":  # one that outlives its parent unless it is ended with it
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
            (Path(rest)).write_text(str(pid))
            time.sleep(600)
        case "hungry":
            return len(bytearray(10**12))
        case "temporary":
            return tempfile.mkdtemp()
        case "refused":
            raise Refused(415, "no", headers={"X": "y"})
        case "named":
            raise MienError(f"{rest}/film.mp4 is bad")
        case "bug":
            raise ValueError("an oversight")
    return None
