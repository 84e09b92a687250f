"""Files and folders appear whole or not at all."""

import hashlib
import os
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convener.errors import DataError
from convener.files import new_folder, open_output, sha256

FAST = settings(deadline=None, max_examples=20)
INTERRUPTIONS = [RuntimeError, KeyboardInterrupt]


def fail_after_half(stream: IO[str], interruption: type[BaseException]) -> None:
    stream.write("half")
    stream.flush()
    raise interruption


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with open_output(path) as stream:
        stream.write("Zoe\u0308\r\n\u2028\n")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == "Zoe\u0308\r\n\u2028\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_the_files_of_a_folder_can_be_read_as_any_others(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    with new_folder(tmp_path / "new") as folder:
        (folder / "mine").touch(mode=0o600)
    assert (tmp_path / "new/mine").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_a_file_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("older and longer")
    with open_output(str(path)) as stream:
        stream.write("new")
        stream.flush()
        assert path.read_text() == "older and longer"
    assert path.read_text() == "new"


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
@pytest.mark.parametrize("old", [None, "old"])
def test_an_interrupted_file_leaves_no_trace(
    tmp_path: Path, interruption: type[BaseException], old: str | None
) -> None:
    path = tmp_path / "out.txt"
    if old is not None:
        path.write_text(old)
    before = {p.name: p.read_text() for p in tmp_path.iterdir()}
    with pytest.raises(interruption), open_output(path) as stream:
        fail_after_half(stream, interruption)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == before


def test_what_cannot_be_encoded_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError), open_output(tmp_path / "out.txt") as stream:
        stream.write("fine \ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with open_output("-") as stream:
        stream.write("here")
    assert capsys.readouterr().out == "here"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_output(pipe) as stream:
            stream.write("here")
        assert os.read(reader, 100) == b"here"
    finally:
        os.close(reader)
    assert list(tmp_path.iterdir()) == [pipe]


def test_files_and_folders_do_not_take_each_others_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(DataError, match="expected a file to write to"),
        open_output(tmp_path / "folder"),
    ):
        pass
    with (
        pytest.raises(DataError, match="expected a folder to write to"),
        new_folder(tmp_path / "file"),
    ):
        pass
    assert (tmp_path / "file").read_text() == "kept"
    assert (tmp_path / "folder").is_dir()


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    with new_folder(target) as folder:
        (folder / "a").write_text("a")
        assert not target.exists()
    assert [p.name for p in target.iterdir()] == ["a"]
    assert list(target.parent.iterdir()) == [target]


def put(folder: Path, name: str) -> None:
    with new_folder(folder) as partial:
        (partial / name).write_text(name)


def test_a_folder_replaces_an_older_one_whole(tmp_path: Path) -> None:
    put(tmp_path / "model", "old")
    put(tmp_path / "model", "new")
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_an_interrupted_folder_leaves_the_older_one(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    put(tmp_path / "model", "old")
    with (
        pytest.raises(interruption),
        new_folder(tmp_path / "model") as folder,
        (folder / "new").open("w") as stream,
    ):
        fail_after_half(stream, interruption)
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_a_folder_that_cannot_take_its_place_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "model", "old")
    rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise PermissionError(f"cannot rename {self}")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(PermissionError):
        put(tmp_path / "model", "new")
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


@FAST
@given(content=st.binary(max_size=200))
def test_sha256_is_that_of_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "sha256.bin"
    path.write_bytes(content)
    assert sha256(path) == sha256(str(path)) == hashlib.sha256(content).hexdigest()
