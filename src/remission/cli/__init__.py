"""The command line: one small file per command, loaded when it is called.

The modules ``list`` and ``show`` become names of this package once they are loaded: do not call ``list`` in this file.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

import click

from remission.errors import RemissionError

COMMANDS = {
    "demo": "The main job on real images and text, with one HTML report.",
    "run": "Run an experiment or a sweep; the same command resumes.",
    "list": "What there is: sources, models, regimes, curators, metrics, theory.",
    "show": "One part: what it does, its parameters, its source.",
    "predict": "The closed forms that apply to an experiment, evaluated.",
    "compare": "Runs against a base: differences with intervals, paired where they can be.",
    "forecast": "When a metric crosses a line, from the generations so far.",
    "dynamics": "Where it ends: healthy, degraded, lost, incoherent, periodic; with theory.",
    "rerun": "Re-create one replicate of a run and compare it bit for bit.",
    "reproduce": "Published results: the paper's number, ours, and a verdict.",
    "detect": "Fit, calibrate, use and test detectors of synthetic documents.",
    "prevalence": "How much of a corpus is synthetic, with an interval or bounds.",
    "census": "The same for a corpus of any size: nothing lost, nothing twice; resumes.",
    "curate": "A training set of a corpus that was counted: kept, weighed, dropped.",
    "watermark": "Write watermarks, and find them with p-values that hold.",
    "tipping": "Where a parameter tips the loop: threshold or slope, with an interval.",
    "plan": "Minimum fresh human data per generation, and its cost.",
    "archive": "Gold data with proof that nobody changed it.",
    "report": "The HTML report of a run or a census.",
}


class _Commands(click.Group):
    """Commands by file name, so that ``--help`` imports nothing else."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"remission.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from remission.errors import did_you_mean

            raise click.UsageError(f"There is no command '{args[0]}'. {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from remission import __version__

        click.echo(f"remission {__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def cli() -> None:
    """Measure, predict and treat model collapse.

    Start with `remission demo`, then copy an experiment file and `remission run` it.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the answer is no, 2 bad input, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)  # asked to end: as orderly as Ctrl-C
    sys.exit(_run(arguments))


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _run(arguments: list[str] | None) -> int:
    try:
        outcome: Any = cli.main(arguments, prog_name="remission", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted: what is finished is kept; the same command goes on", err=True)
        return 130
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return 2
    except RemissionError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except MemoryError as error:
        click.echo(f"error: not enough memory: {error}. Lower samples, dimensions or workers.", err=True)
        return 2
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        if os.environ.get("REMISSION_DEBUG"):
            raise
        click.echo(f"error: {_where(error)}{type(error).__name__}: {error}", err=True)
        click.echo("The whole traceback: set REMISSION_DEBUG=1 and run the command again.", err=True)
        return 2


def _where(error: Exception) -> str:
    """The innermost place in code of the user's, if the trouble came from there."""
    import traceback

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((package, sys.prefix, sys.base_prefix, "<")):
            return f"{os.path.basename(frame.filename)}, line {frame.lineno}, in {frame.name}: "
    return "unexpected "
