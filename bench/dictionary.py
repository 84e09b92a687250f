"""Finding the names of a dictionary in text: speed, memory and exactness beside other tools.

    CONVENER_DATA=data python bench/dictionary.py --peers peers

Names are seeded combinations of invented words and of words of the text, one to four each, so that
many places look like the beginning of a name. The text is real sentences, every second one with a
name put in, few names often and many rarely. All tools compare without case, each as its manual
says; flashtext2, pyahocorasick and ahocorasick-rs compare letters, so for the last two the words
around a match are checked. Every tool runs in a process of its own and each peer in an environment
of its own below `--peers`; one that cannot be installed is named and left out.

`load_seconds` is the time from an empty process to a dictionary that is ready: from the file that
the tool saved where it saves one, else from the names. `words_per_second` counts words between
white space per second of processor time in the first pass over the text, `again_per_second` in the
second. `same_percent` is the share of texts where a tool finds exactly the spans that ours finds.
"""

import argparse
import contextlib
import gc
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import jobs

RESULTS = Path(__file__).parent / "results" / "dictionary.json"
PEERS = {
    "spacy": "spacy",
    "skweak": "skweak",
    "flashtext2": "flashtext2",
    "pyahocorasick": "pyahocorasick",
    "ahocorasick-rs": "ahocorasick-rs",
}
SAVING = ("convener", "pyahocorasick")
SETS = ("conll03", "wikigold", "webpage", "twitter")
KEY = ("task", "tool", "names")
Find = Callable[[str], Iterable[tuple[int, int]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--peers", type=Path, default=Path("peers"), help="folder for their environments"
    )
    parser.add_argument("--names", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--tools", nargs="+", default=["convener", *PEERS])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", type=json.loads, help="run this job and print its row")
    parser.add_argument("--measure", type=json.loads, help="run this step of a job, print figures")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**options.measure)))
        return
    if options.one:
        print(json.dumps(one(options.one)))
        return
    os.environ["BENCH_PEERS"] = str(options.peers.resolve())
    tools = [tool for tool in options.tools if tool == "convener" or installed(tool)]
    planned = [
        {"task": "engine", "tool": tool, "names": names}
        for names in sorted(options.names)
        for tool in tools
    ]
    jobs.run_all(__file__, planned, options.results, KEY, at_once=1)


def installed(tool: str) -> bool:
    """Whether a peer could be installed in an environment of its own."""
    folder = Path(os.environ["BENCH_PEERS"]) / tool
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", PEERS[tool]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{tool} cannot be installed: {done.stderr.splitlines()[-1]}", file=sys.stderr)
    return not done.returncode


def one(job: jobs.Row) -> jobs.Row:
    """The row of a tool: built once, then loaded and used in a fresh process."""
    folder = Path(os.environ["BENCH_PEERS"]) / f"work-{job['names']}"
    tool = str(job["tool"])
    python = sys.executable
    if tool != "convener":
        python = str(Path(os.environ["BENCH_PEERS"]) / tool / "bin" / "python")
    if not (folder / "texts.txt").exists():
        write_work(folder, int(str(job["names"])))
    built = step(python, tool, folder, "build") if tool in SAVING else {}
    used = {"build_seconds": None, "saved_mb": None} | built | step(python, tool, folder, "use")
    if tool not in SAVING:
        used["build_seconds"] = used["load_seconds"]
    mine, theirs = (spans(folder / f"spans-{name}.jsonl") for name in ("convener", tool))
    same = [a == b for a, b in zip(mine, theirs, strict=True)]
    return job | used | {"same_percent": 100 * sum(same) / len(same)} | jobs.provenance()


def step(python: str, tool: str, folder: Path, what: str) -> jobs.Row:
    """One step in a process of its own."""
    job = json.dumps({"tool": tool, "folder": str(folder), "what": what})
    command = [python, __file__, "--measure", job]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(tool: str, folder: str, what: str) -> jobs.Row:
    """Build a dictionary, or load it and find its names in the text."""
    work = Path(folder)
    began = time.perf_counter()
    find, saved = TOOLS[tool](work, what == "build")
    ready = time.perf_counter() - began
    if what == "build":
        size = round(saved.stat().st_size / 1e6, 1) if saved else None
        return {"build_seconds": round(ready, 2), "saved_mb": size}
    texts = (work / "texts.txt").read_text(encoding="utf-8").split("\n")
    words = sum(len(text.split()) for text in texts)
    speeds, found = [], []
    for _ in range(2):
        gc.collect()
        began = time.process_time()
        found = [list(find(text)) for text in texts]
        speeds.append(round(words / (time.process_time() - began)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with (work / f"spans-{tool}.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(f"{json.dumps(sorted(spans))}\n" for spans in found)
    return {
        "load_seconds": round(ready, 3),
        "peak_rss_mb": round(peak),
        "words": words,
        "words_per_second": speeds[0],
        "again_per_second": speeds[1],
        "spans": sum(map(len, found)),
    }


def convener(work: Path, build: bool) -> tuple[Find, Path | None]:
    from convener.dictionary import Gazetteer

    saved = work / "convener.names"
    if build:
        Gazetteer.from_file(work / "names.txt", "NAME", "ignore").save(saved)
    gazetteer = Gazetteer.from_file(saved)
    return lambda text: [(m.start, m.end) for m in gazetteer.matches(text)], saved


def spacy(work: Path, build: bool) -> tuple[Find, Path | None]:
    import spacy
    from spacy.matcher import PhraseMatcher
    from spacy.util import filter_spans

    nlp = spacy.blank("en")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    for name in names_of(work):
        matcher.add("NAME", [nlp.make_doc(name)])

    def find(text: str) -> list[tuple[int, int]]:
        matches = filter_spans(matcher(nlp.make_doc(text), as_spans=True))
        return [(span.start_char, span.end_char) for span in matches]

    return find, None


def skweak(work: Path, build: bool) -> tuple[Find, Path | None]:
    import spacy
    from skweak.gazetteers import GazetteerAnnotator, Trie

    nlp = spacy.blank("en")
    trie = Trie()
    for name in names_of(work):
        trie.add([token.text for token in nlp.make_doc(name)])
    annotator = GazetteerAnnotator(
        "names", {"NAME": trie}, case_sensitive=False, additional_checks=False
    )

    def find(text: str) -> list[tuple[int, int]]:
        doc = nlp.make_doc(text)
        if len(doc):
            doc[0].is_sent_start = True
        return [
            (doc[start].idx, doc[end - 1].idx + len(doc[end - 1]))
            for start, end, _ in annotator.find_spans(doc)
        ]

    return find, None


def flashtext2(work: Path, build: bool) -> tuple[Find, Path | None]:
    from flashtext2 import KeywordProcessor

    processor = KeywordProcessor(case_sensitive=False)
    for name in names_of(work):
        processor.add_keyword(name)
    return lambda text: [span[1:] for span in processor.extract_keywords_with_span(text)], None


def pyahocorasick(work: Path, build: bool) -> tuple[Find, Path | None]:
    import ahocorasick

    saved = work / "pyahocorasick.bin"
    if build:
        automaton = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)
        for name in names_of(work):
            automaton.add_word(name.lower())
        automaton.make_automaton()
        automaton.save(str(saved))
    else:
        automaton = ahocorasick.load(str(saved), int)

    def find(text: str) -> list[tuple[int, int]]:
        ends = ((end + 1 - length, end + 1) for end, length in automaton.iter(text.lower()))
        whole = sorted((span for span in ends if bounded(text, *span)), key=lambda s: (s[0], -s[1]))
        chosen: list[tuple[int, int]] = []
        for start, end in whole:
            if not chosen or start >= chosen[-1][1]:
                chosen.append((start, end))
        return chosen

    return find, saved


def ahocorasick_rs(work: Path, build: bool) -> tuple[Find, Path | None]:
    from ahocorasick_rs import AhoCorasick, MatchKind

    kind = MatchKind.LeftmostLongest
    automaton = AhoCorasick((name.lower() for name in names_of(work)), matchkind=kind)

    def find(text: str) -> list[tuple[int, int]]:
        found = automaton.find_matches_as_indexes(text.lower())
        return [(start, end) for _, start, end in found if bounded(text, start, end)]

    return find, None


TOOLS = {
    "convener": convener,
    "spacy": spacy,
    "skweak": skweak,
    "flashtext2": flashtext2,
    "pyahocorasick": pyahocorasick,
    "ahocorasick-rs": ahocorasick_rs,
}


def bounded(text: str, start: int, end: int) -> bool:
    """Whether a match is not a part of longer words."""
    before = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    return before and (end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum()))


def names_of(work: Path) -> Iterator[str]:
    with (work / "names.txt").open(encoding="utf-8") as stream:
        yield from map(str.strip, stream)


def spans(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def write_work(folder: Path, count: int) -> None:
    """The names, and the texts in which they are looked for."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(count)
    real = list(sentences(jobs.data() / "distant"))
    words = sorted({word for text in real for word in text.split() if word.isalpha()})
    words += invented(rng, 60_000)
    names: dict[str, None] = {}
    while len(names) < count:
        name = " ".join(rng.choices(words, k=rng.choice((1, 2, 2, 2, 3, 3, 4))))
        if len(name) > 4 and (" " in name or rng.random() < 0.2):
            names[name.title() if rng.random() < 0.7 else name] = None
    listed = list(names)
    with (folder / "names.txt").open("w", encoding="utf-8") as stream:
        stream.writelines(f"{name}\n" for name in listed)
    texts = real + [with_name(rng, text, listed) for text in real]
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")


def with_name(rng: random.Random, text: str, names: list[str]) -> str:
    """A text with a name at a random place; the first names are the most frequent."""
    words = text.split()
    rank = int(rng.paretovariate(0.35)) - 1
    words.insert(rng.randint(0, len(words)), names[rank % len(names)])
    return " ".join(words)


def sentences(folder: Path) -> Iterator[str]:
    """The sentences of the benchmark's training sets."""
    for name in SETS:
        with (folder / name / "train.gold.jsonl").open(encoding="utf-8") as stream:
            yield from (" ".join(json.loads(line)["tokens"]) for line in stream)


def invented(rng: random.Random, count: int) -> list[str]:
    """Words that look like words."""
    last = ["", "", "n", "r", "s", "l", "m", "t", "nd", "rt"]
    letters = itertools.product("bcdfghjklmnprstvwz", ["", "", "l", "r"], "aeiou", last)
    syllables = list(map("".join, letters))
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(rng.choices(syllables, k=rng.choice((2, 2, 3, 3, 4))))] = None
    return list(words)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
