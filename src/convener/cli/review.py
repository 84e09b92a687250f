"""`convener review`: a person goes through a patch, change by change."""

from pathlib import Path
from typing import Annotated

import typer

from convener.cli.console import out
from convener.dictionary.patch import Change, read_changes, write_patch

_ASK = "accept (y), reject (n), go back (b), accept all that is left (a), stop here (q)"


def review(
    patch: Annotated[Path, typer.Argument(help="A patch that convener audit wrote.")],
    begin: Annotated[int, typer.Option("--from", help="Begin at this change.", min=1)] = 1,
) -> None:
    """Accept or reject the changes of a patch; what was decided is kept at every step.

    Example: `convener review patch.jsonl`
    """
    changes = read_changes(patch)
    index = begin - 1
    while index < len(changes):
        change = changes[index]
        out.print(f"{index + 1}/{len(changes)} {shown(change)}", markup=False)
        answer = _asked("y" if change.accept else "n")
        if answer == "b":
            index = max(index - 1, 0)
        elif answer == "a":
            changes[index:] = [c.model_copy(update={"accept": True}) for c in changes[index:]]
            break
        elif answer == "q":
            break
        elif answer in ("y", "n"):
            changes[index] = change.model_copy(update={"accept": answer == "y"})
            write_patch(patch, changes)
            index += 1
    write_patch(patch, changes)
    accepted = sum(change.accept for change in changes)
    out.print(f"{accepted} of {len(changes)} changes accepted in {patch}", markup=False)


def _asked(default: str) -> str:
    try:
        return str(typer.prompt(_ASK, default=default)).strip().lower()
    except typer.Abort:
        return "q"


def shown(change: Change) -> str:
    """A change in words."""
    belief = "" if change.confidence is None else f" ({100 * change.confidence:.0f} %)"
    name = f"{change.surface} [{change.label}]"
    if change.change == "drop":
        return f"drop the name {name}, wrong in most of {change.matches} matches{belief}"
    if change.change == "exact":
        return f"match {name} only as written, not in lower case{belief}"
    if change.to is not None:
        return f"replace {name} by {change.to.label} at {change.to.start}-{change.to.end}" + (
            f"{belief}: {change.context}"
        )
    return f"{change.change} {name}{belief}: {change.context}"
