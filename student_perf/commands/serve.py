"""`python -m student_perf serve`: a kept model behind HTTP on this machine."""

from __future__ import annotations

import argparse
import sys

from student_perf.commands.arguments import MODELS, add_run, check_port, reading
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.shell import install_extra

HELP = "serve a kept model over HTTP, checked by its contract"
GROUP = MODELS
PARENTS = (reading(),)
USES_METRICS = False
_EXTRA = ("pydantic", "pydantic_core", "starlette", "uvicorn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, address and limits."""
    add_run(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="the token that requests must bear; an address that others reach needs one",
    )
    parser.add_argument("--port", type=int, default=8000, help="port; 0 takes a free one")
    parser.add_argument(
        "--max-request-bytes", type=int, default=1_048_576, metavar="N", help="of one request"
    )
    parser.add_argument("--max-rows", type=int, default=1000, metavar="N", help="of one request")


def run(chosen: argparse.Namespace) -> int:
    """Serve until Ctrl-C.

    Raises ConfigError if the extra is not installed, an option is out of range or a token is
    lacking, and StudentPerfError if the model fails its golden rows.
    """
    check_port(chosen.port, lowest=0)
    try:
        from student_perf.serving.access import Access, read_token
        from student_perf.serving.serve import Limits, serve
    except ModuleNotFoundError as error:
        library = (error.name or "").split(".")[0]
        if library not in _EXTRA:
            raise
        raise ConfigError(
            f"serve: needs {library}, which is not installed; run: {install_extra('serve')}"
        ) from error
    from student_perf.store.kept_model import load_kept_model

    limits = Limits(chosen.max_request_bytes, chosen.max_rows)
    token = read_token(chosen.token_file) if chosen.token_file else None
    access = Access(chosen.host, token)

    def announce(address: str) -> None:
        print(
            f"{kept.name}: {address} (how to ask: {address}/docs; Ctrl-C ends it)", file=sys.stderr
        )

    kept = load_kept_model(chosen.run, chosen.store)
    serve(kept, access, chosen.port, limits, announce)
    return ExitCode.DONE
