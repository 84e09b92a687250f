"""The page in a real browser, in front of a real server; screenshots go to a temporary folder."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convener import Document, Entity, Entry, Gazetteer, Recogniser
from convener.dictionary.patch import Change, read_changes, write_patch
from convener.recipes.run_config import RunConfig
from convener.serving.app import create_app
from convener.text.formats import read, write
from tests import serving_models
from tests.serving_models import in_a_thread, nested

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason="no Chromium at hand: apt-get install chromium"
)

EVIL = "<script>document.title = 'evil'</script> <img src=x onerror=\"document.title='evil'\">"
FAMILY = "👩‍👩‍👧"


@pytest.fixture(scope="module")
def models(
    labelled: list[Document], run_config: Callable[..., RunConfig], tiny_encoder: Path
) -> dict[str, Recogniser]:
    return {
        "drug-ner": serving_models.panel(labelled, run_config),
        "clinics": serving_models.reader(tiny_encoder),
    }


@pytest.fixture(scope="module")
def address(models: dict[str, Recogniser]) -> Iterator[str]:
    with in_a_thread(create_app(models)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address: str) -> Iterator[object]:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 1100, "height": 850})
    context.set_default_timeout(20_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.on(
        "request", lambda r: r.url.startswith((address, "data:", "blob:")) or wrong.append(r.url)
    )
    page.goto(address)
    until(page, "known.models.length > 0")
    yield page
    assert not wrong
    assert page.title() == "convener"
    context.close()


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: CONVENER_SHOTS, or a temporary folder."""
    named = os.environ.get("CONVENER_SHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("shots")
    folder.mkdir(exist_ok=True)
    return folder


def shoot(page, folder: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    """Take the page in light and in dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=folder / f"{name}-{scheme}.png")


def until(page, condition: str) -> None:  # type: ignore[no-untyped-def]
    """Wait for a condition; asked from outside, since the page lets nobody evaluate strings."""
    limit = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < limit, condition
        time.sleep(0.02)


def find(page, text: str, model: str = "drug-ner") -> None:  # type: ignore[no-untyped-def]
    """Paste a text and have its entities found."""
    page.select_option("#model", model)
    page.fill("#text", text)
    page.click("#read-go")
    page.wait_for_selector("#read-reading .text")


def saved(page, button: str, folder: Path) -> Path:  # type: ignore[no-untyped-def]
    """The file that a button downloads."""
    with page.expect_download() as download:
        page.click(button)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def found(page, reading: str = "#read-reading") -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    """Entities as they are shown, in order: the text and the type."""
    marks = page.query_selector_all(f"{reading} mark")
    return [(mark.text_content(), mark.get_attribute("data-label")) for mark in marks]


def test_entities_are_those_of_the_model(
    page, models: dict[str, Recogniser], shots: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    texts = ["We gave aspirin in Oslo today .", f"{FAMILY} took codeine in New York 😀", EVIL]
    find(page, "\n".join(texts))
    expected = [
        (text[e.start : e.end], e.label) for text in texts for e in models["drug-ner"].predict(text)
    ]
    assert found(page) == expected
    assert len(expected) >= 4
    shown = page.eval_on_selector_all("#read-reading .text", "all => all.map(e => e.textContent)")
    assert shown == texts
    shoot(page, shots, "entities")
    path = saved(page, "#read-reading .save", tmp_path)
    for document, text in zip(read(path), texts, strict=True):
        entities = models["drug-ner"].predict(text)
        assert document == Document(text, tuple(entities))
    page.fill("#threshold", "100")
    page.click("#read-go")
    until(page, "document.querySelectorAll('#read-reading mark').length === 0")


def test_nested_entities_lie_inside_one_another(page, shots: Path) -> None:  # type: ignore[no-untyped-def]
    find(page, "The clinic of Rome is closed .\nShe lives in Oslo today .", "clinics")
    assert page.text_content("#read-reading mark mark") == "Rome"
    assert ("clinic of Rome", "FAC") in found(page)
    shoot(page, shots, "nested")


def test_entities_that_cross_are_all_shown(page) -> None:  # type: ignore[no-untyped-def]
    pieces = page.evaluate(
        """() => drawn({...asDocument({text: "abcdef"}), entities: [
            {start: 0, end: 4, label: "A"}, {start: 2, end: 6, label: "B"}]})
            .filter(n => n.outerHTML).map(n => n.textContent)"""
    )
    assert pieces == ["abcd", "ef"]


def test_correction_by_mouse(page, shots: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = f"{FAMILY}😀 She took zzyzx , not tea ."
    find(page, text)
    page.evaluate(
        """() => { const element = document.querySelector("#read-reading .text");
        const at = element.textContent.indexOf("zzyzx");
        getSelection().setBaseAndExtent(...placeAt(element, at), ...placeAt(element, at + 6)); }"""
    )
    page.dispatch_event("#read-reading .text", "click")
    page.click("#chooser button.type:has-text('DRUG')")
    assert ("zzyzx", "DRUG") in found(page)
    page.click("mark:has-text('zzyzx')")
    page.wait_for_selector("#chooser:popover-open")
    shoot(page, shots, "correction")
    page.fill("#chooser input", "SUBSTANCE")
    page.keyboard.press("Enter")
    assert ("zzyzx", "SUBSTANCE") in found(page)
    (document,) = read(saved(page, "#read-reading .save", tmp_path))
    assert ("zzyzx", "SUBSTANCE") in {(document.surface(e), e.label) for e in document.entities}
    page.click("mark:has-text('zzyzx')")
    page.click("#chooser .remove")
    assert "zzyzx" not in dict(found(page))
    page.click("#read-reading button:has-text('Undo')")
    assert ("zzyzx", "SUBSTANCE") in found(page)
    page.click("#read-reading button:has-text('Undo')", force=True)


def test_dragging_over_words_selects_them(page) -> None:  # type: ignore[no-untyped-def]
    find(page, "Nobody here .")
    box = page.evaluate(
        """() => { const element = document.querySelector("#read-reading .text");
        const range = document.createRange();
        range.setStart(...placeAt(element, 0)); range.setEnd(...placeAt(element, 6));
        const {left, right, top, bottom} = range.getBoundingClientRect();
        return {left, right, y: (top + bottom) / 2}; }"""
    )
    page.mouse.move(box["left"] + 1, box["y"])
    page.mouse.down()
    page.mouse.move(box["right"], box["y"], steps=4)
    page.mouse.up()
    page.wait_for_selector("#chooser:popover-open")
    assert page.text_content("#chooser .title") == "Nobody"
    page.keyboard.press("Escape")
    page.wait_for_selector("#chooser", state="hidden")
    assert found(page) == []


def test_correction_by_keyboard_alone(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    find(page, "😀 New Amsterdam is old .")
    while found(page):
        page.focus("#read-reading mark")
        page.keyboard.press("Delete")
    page.focus("#read-reading .text")
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#chooser:popover-open")
    page.keyboard.press("2")
    assert found(page) == [("New Amsterdam", "LOC")]
    page.keyboard.press("Enter")
    page.wait_for_selector("#chooser:popover-open")
    page.keyboard.press("1")
    assert found(page) == [("New Amsterdam", "DRUG")]
    page.keyboard.press("Control+z")
    assert found(page) == [("New Amsterdam", "LOC")]
    (document,) = read(saved(page, "#read-reading .save", tmp_path))
    assert [(e.start, e.end, e.label) for e in document.entities] == [(2, 15, "LOC")]


def test_files_keep_what_they_bring(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    documents = [nested(f"{FAMILY} The clinic of Rome is closed .", "Rome"), Document("😀\r\nx")]
    write(tmp_path / "gold.jsonl", documents)
    lines = [json.loads(line) for line in (tmp_path / "gold.jsonl").read_text().splitlines()]
    lines[0]["doc_id"] = "d1"
    content = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "gold.jsonl").write_text(content, encoding="utf-8")
    page.set_input_files("#open", tmp_path / "gold.jsonl")
    page.wait_for_selector("#read-reading mark")
    assert found(page) == [("clinic of Rome", "FAC"), ("Rome", "LOC")]
    path = saved(page, "#read-reading .save", tmp_path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == lines
    (tmp_path / "notes.txt").write_text("aspirin in Oslo\n\nLima\n")
    page.set_input_files("#open", tmp_path / "notes.txt")
    until(page, "document.querySelector('#size').textContent === '2 documents'")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    page.set_input_files("#open", tmp_path / "bad.txt")
    page.wait_for_selector("#status:has-text('bad.txt: expected text in UTF-8')")
    (tmp_path / "bad.jsonl").write_text('{"text": "a", "entities": [{"start": 0, "end": 9}]}')
    page.set_input_files("#open", tmp_path / "bad.jsonl")
    page.wait_for_selector("#status:has-text('bad.jsonl, line 1: an entity at 0-9')")


def test_labels_read_anew_can_be_read_by_every_verb(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = "We gave aspirin in Oslo today ."
    known = Document(text, (Entity(8, 15, "DRUG"),), types=("DRUG",))
    write(tmp_path / "drugs.jsonl", [known])
    page.set_input_files("#open", tmp_path / "drugs.jsonl")
    page.wait_for_selector("#read-reading mark")
    assert list(read(saved(page, "#read-reading .save", tmp_path))) == [known]
    page.focus("#read-reading mark")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chooser:popover-open")
    page.fill("#chooser input", "CURE")
    page.keyboard.press("Enter")
    (corrected,) = read(saved(page, "#read-reading .save", tmp_path))
    assert corrected.types == ("DRUG", "CURE")
    page.click("#read-go")
    until(page, "document.querySelectorAll('#read-reading mark').length > 1")
    (anew,) = read(saved(page, "#read-reading .save", tmp_path))
    assert anew.types is None
    assert {e.label for e in anew.entities} == {"DRUG", "LOC"}


def test_long_documents_are_sent_in_parts_that_are_answered(page, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    asked: list[list[str]] = []
    page.on("request", lambda r: r.post_data and asked.append(r.post_data_json["texts"]))
    texts = ["We gave aspirin in Oslo today . " * 200] * 8 + ["aspirin"] * 70
    (tmp_path / "notes.txt").write_text("\n".join(texts))
    page.set_input_files("#open", tmp_path / "notes.txt")
    page.click("#read-go")
    page.wait_for_selector("#status:has-text('in 78 documents')")
    assert [text for part in asked for text in part] == texts
    assert all(len(part) <= 32 and sum(map(len, part)) <= 20_000 for part in asked)
    assert len(asked) < 8


def test_corrections_are_not_lost_unasked(page) -> None:  # type: ignore[no-untyped-def]
    find(page, "We gave aspirin in Oslo today .")
    page.focus("#read-reading mark")
    page.keyboard.press("Delete")
    corrected = found(page)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("#read-go")
    assert found(page) == corrected
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#read-go")
    until(page, f"document.querySelectorAll('#read-reading mark').length > {len(corrected)}")


def test_experts_side_by_side(page, models: dict[str, Recogniser], shots: Path) -> None:  # type: ignore[no-untyped-def]
    page.fill("#text", f"We gave aspirin in Oslo today .\nThe clinic of Rome is closed .\n{EVIL}")
    page.click("#tab-compare")
    page.click("#compare-go")
    page.wait_for_selector("#opinions article")
    names = page.eval_on_selector_all(
        "#opinions article:first-child h3", "a => a.map(e => e.textContent)"
    )
    assert names == ["drug-ner, together", "drug-ner, expert 1", "drug-ner, expert 2", "clinics"]
    assert "of 3 texts" in page.text_content("#compare-summary")
    row = "#opinions article:first-child tr:has-text('aspirin') td"
    cells = page.eval_on_selector_all(row, "all => all.map(cell => cell.textContent)")
    assert cells[0] == "DRUG"
    assert cells[-1] == "not its type"
    shoot(page, shots, "comparison")
    before = page.locator("#opinions article").count()
    page.check("#only")
    assert 0 < page.locator("#opinions article").count() <= before == 3
    assert page.locator("#opinions article:not(:has(.differs))").count() == 0


def test_a_reader_is_asked(page, shots: Path) -> None:  # type: ignore[no-untyped-def]
    page.click("#tab-ask")
    page.select_option("#model", "drug-ner")
    assert page.is_hidden("#ask-form")
    page.select_option("#model", "clinics")
    page.fill("#text", "She lives in Oslo today .")
    rows = page.locator("#ask-rows p")
    assert rows.count() == 2
    assert rows.nth(1).locator("input").nth(1).input_value() == "In ?"
    rows.nth(1).locator("input").nth(0).fill("TOWN")
    rows.nth(0).locator("button").click()
    page.click("#ask-more")
    rows.nth(1).locator("input").nth(0).fill("CLINIC")
    page.click("#ask-form [type=submit]")
    page.wait_for_selector("#ask-reading mark")
    assert ("Oslo", "TOWN") in found(page, "#ask-reading")
    shoot(page, shots, "reader")


def test_a_patch_is_reviewed(page, shots: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    place = {"text": "0123456789abcdef", "start": 0, "end": 4}
    changes = [
        Change(change="drop", surface="Bath", label="LOC", matches=14, confidence=1.0),
        Change(change="exact", surface="May", label="PER", matches=9, confidence=0.88),
        Change.model_validate(
            place
            | {"change": "replace", "surface": "York", "label": "LOC", "confidence": 0.97}
            | {"to": {"start": 0, "end": 9, "label": "ORG"}, "context": "… York Fire 😀 …"}
        ),
        Change.model_validate(
            place | {"change": "add", "surface": "<b>", "label": "<i>", "context": EVIL}
        ),
    ]
    write_patch(tmp_path / "in.jsonl", changes)
    page.click("#tab-patch")
    page.set_input_files("#patch-open", tmp_path / "in.jsonl")
    page.wait_for_selector("#changes li")
    page.uncheck("#changes li:nth-child(1) input")
    page.focus("#changes li:nth-child(2)")
    page.keyboard.press("y")
    page.keyboard.press("n")
    assert page.text_content("#patch-count") == "2 of 4 accepted"
    shoot(page, shots, "patch")
    path = saved(page, "#patch-save", tmp_path)
    accepted = [False, True, False, True]
    assert read_changes(path) == [
        change.model_copy(update={"accept": accept})
        for change, accept in zip(changes, accepted, strict=True)
    ]
    page.select_option("#patch-show", "rejected")
    assert page.locator("#changes li").count() == 2
    page.click("#patch-accept")
    assert page.text_content("#patch-count") == "4 of 4 accepted"


def test_a_listed_name_is_found_and_has_no_score(browser, models: dict[str, Recogniser]) -> None:  # type: ignore[no-untyped-def]
    beside = models["drug-ner"].beside(Gazetteer([Entry("today", "DATE", case="ignore")]))
    with in_a_thread(create_app({"drug-ner": beside})) as address:
        page = browser.new_page()
        page.goto(address)
        until(page, "known.models.length > 0")
        find(page, "We gave aspirin in Oslo today .")
        assert ("today", "DATE") in found(page)
        page.click("#tab-compare")
        page.click("#compare-go")
        page.wait_for_selector("#opinions article")
        row = "#opinions tr:has-text('DATE') td"
        cells = page.eval_on_selector_all(row, "all => all.map(cell => cell.textContent)")
        assert cells == ["DATE", "found", "not found", "not found"]
        page.close()


def test_a_token_is_asked_for(browser, models: dict[str, Recogniser]) -> None:  # type: ignore[no-untyped-def]
    with in_a_thread(create_app(models, token="geheim")) as address:
        page = browser.new_page()
        page.goto(address)
        page.fill("#token", "geheim")
        page.keyboard.press("Enter")
        page.wait_for_selector("#token-form", state="hidden")
        find(page, "We gave aspirin in Oslo today .")
        assert ("aspirin", "DRUG") in found(page)
        page.close()


def test_what_goes_wrong_is_said(page) -> None:  # type: ignore[no-untyped-def]
    page.click("#read-go")
    page.wait_for_selector("#status.wrong:has-text('Paste some text or open a file first.')")


def test_everything_can_be_reached_and_has_a_name(page) -> None:  # type: ignore[no-untyped-def]
    find(page, "We gave aspirin in Oslo today .")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea")]
            .filter(e => !(e.textContent.trim() || e.getAttribute("aria-label")
                || e.labels?.length)).map(e => e.outerHTML)"""
    )
    assert nameless == []
    page.focus("#tab-read")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-compare", "aria-selected") == "true"
    assert page.evaluate("document.activeElement.id") == "tab-compare"
    assert re.search(r"aspirin: DRUG, \d+ %", page.get_attribute("mark", "aria-label"))
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
