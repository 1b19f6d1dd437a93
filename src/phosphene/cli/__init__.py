"""The command line. One file is one verb."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter, UnknownOptionError

from phosphene import __version__
from phosphene.cli import (
    bench,
    certify,
    compare,
    completion,
    demo,
    doctor,
    explore,
    export,
    findings,
    generate,
    ls,
    nuggets,
    pack,
    probe,
    recreate,
    replay,
    report,
    results,
    studio,
    think,
    train,
)
from phosphene.cli.console import say_json
from phosphene.errors import PhospheneError

app = App(
    name="phosphene",
    help="See what a generative model thinks. Exit status: 0 done, 1 some samples failed, "
    "2 a mistake to mend, 130 interrupted.",
    version=__version__,
    help_format="plaintext",
    # No --no-json, no --empty-lora: verbs whose values may come from a file add what they need.
    default_parameter=Parameter(negative_iterable=(), negative_bool=(), show_default=False),
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app.command(generate.generate)
app.command(recreate.recreate)
app.command(replay.replay)
app.command(demo.demo)
app.command(bench.bench)
app.command(bench.score)
app.command(export.export)
app.command(report.report)
app.command(compare.compare)
app.command(results.results)
app.command(certify.certify)
app.command(think.think)
app.command(probe.probe)
app.command(findings.findings)
app.command(explore.explore)
app.command(nuggets.nuggets)
app.command(studio.studio)
app.command(ls.app)
app.command(pack.pack)
app.command(doctor.doctor)
app.command(train.app)
app.command(completion.completion)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Args:
        argv: arguments without the program's name; the process's own where None.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return app(argv, exit_on_error=False, print_error=False) or 0
    except CycloptsError as error:
        verb = " ".join(("phosphene", *(error.command_chain or ())))
        return _refuse(argv, f"{' '.join(str(error).split())} See {verb} --help{_dashed(error)}")
    except PhospheneError as error:
        return _refuse(argv, " ".join(str(error).split()))
    except KeyboardInterrupt:
        _refuse(argv, "interrupted; run the same command again to go on")
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`); what Python still holds for it must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _dashed(error: CycloptsError) -> str:
    """A prompt such as `-5+3=` looks like a flag."""
    single = isinstance(error, UnknownOptionError) and not error.token.value.startswith("--")
    return "; a prompt that begins with - goes after --" if single else ""


def _refuse(argv: Sequence[str], message: str) -> int:
    sys.stderr.write(f"phosphene: {message}\n")
    if "--json" in argv:
        say_json({"error": message})
    return 2
