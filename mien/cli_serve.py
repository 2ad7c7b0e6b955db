"""`mien serve`: the analysis over HTTP, with a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.terminal import console, errors, say


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at; this machine only by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any that is free.")] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="MIEN_TOKEN", help="What clients must send; better set as MIEN_TOKEN.")
    ] = None,
    allow_anyone: Annotated[
        bool, typer.Option("--allow-anyone", help="Let other machines in without a token.")
    ] = False,
    face_model: Annotated[str, typer.Option(help="Folder, hf:ID, or the shipped one.")] = "face",
    model: Annotated[
        str | None, typer.Option(help="A video model as well, for bodies and scenes: folder or hf:ID.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Analyses at a time.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Where uploads and results lie while they are needed.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, say limits.video_s=7200; repeatable.")
    ] = None,
) -> None:
    """Serve the analysis over HTTP, with a page, for this machine only unless there is a token. Apparent emotion only.

    Needs `pip install mien[serve]`. docs/serve.md has the endpoints and the limits.

    Example: `mien serve`, then open http://127.0.0.1:8000
    """
    with errors():
        from mien.config import validate
        from mien.errors import MienError

        try:
            from mien.serve.app import serve as serve_until_stopped
            from mien.serve.settings import ServeSettings
        except ImportError as error:
            raise MienError(f"{error.name} is not installed; pip install 'mien[serve]'") from error

        chosen = {
            "host": host,
            "port": port,
            "token": token,
            "allow_anyone": allow_anyone,
            "face_model": face_model,
            "model": model,
            "jobs_at_once": jobs,
            "folder": folder,
        }
        settings = validate(ServeSettings, chosen, source="the options", overrides=set_ or [])
        with console.status("loading the model") as status:

            def started(address: str) -> None:
                status.stop()
                say(f"mien serves {address} (Ctrl-C stops it)")

            serve_until_stopped(settings, on_start=started)
