"""`phosphene completion`: the shell's tab key."""

from __future__ import annotations

from typing import Literal

from phosphene.cli.console import say, say_json

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell, /, *, json: bool = False) -> None:
    """Print the completion script of a shell; for bash: `source <(phosphene completion bash)`.

    Args:
        shell: bash, zsh or fish.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.cli import app

    script = app.generate_completion(shell=shell)
    if json:
        say_json({"shell": shell, "script": script})
    else:
        say(script)
