"""Writing that leaves either the whole file or nothing, and fingerprints of what was written."""

import hashlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from convener.errors import DataError


def keep_apart(output: str | Path | None, *inputs: str | Path | None) -> None:
    """Raise DataError if a file or folder that is read would be written over."""
    if output is None or not (Path(output).is_file() or Path(output).is_dir()):
        return
    if Path(output).resolve() in {Path(given).resolve() for given in inputs if given is not None}:
        raise DataError(f"{output} is read, so nothing is written there: choose another name")


def check_no_folder(path: Path) -> None:
    """Raise DataError if a folder stands where a file is to be written."""
    if path.is_dir():
        raise DataError(f"expected a file to write to, got the folder {path}")


@contextmanager
def open_output(path: str | Path) -> Iterator[IO[str]]:
    """A UTF-8 text file that takes its place only when all of it is written; `-` is stdout.

    Devices and pipes, which cannot be replaced, are written directly.
    """
    if str(path) == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        yield sys.stdout
        sys.stdout.flush()
        return
    target = Path(path).resolve()
    check_no_folder(target)
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    with new_file(target) as partial, partial.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A file to write that takes its place, replacing an older one, only when it is complete."""
    target = Path(path).resolve()
    _make_folder(target.parent)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        yield partial
        partial.replace(target)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        _name_target(error, partial, target)
        raise


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder that takes its place, replacing an older one, only when its content is complete."""
    target = Path(path).resolve()
    if target.exists() and not target.is_dir():
        raise DataError(f"expected a folder to write to, got the file {target}")
    _make_folder(target.parent)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    retired = target.with_name(f".{target.name}.retired-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        _let_read(partial)
        if target.exists():
            target.rename(retired)
        partial.rename(target)
    except BaseException as error:
        if retired.exists() and not target.exists():
            retired.rename(target)
        _name_target(error, partial, target)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if target.exists():
            shutil.rmtree(retired, ignore_errors=True)


def _let_read(folder: Path) -> None:
    """Give files the permissions of new ones, though some libraries write them for one user."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(folder.stat().st_mode & 0o666)


def _name_target(error: BaseException, partial: Path, target: Path) -> None:
    if isinstance(error, OSError) and str(error.filename).startswith(str(partial)):
        error.filename = str(target)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"expected a folder to write in, got {folder}, which is a file") from None


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
