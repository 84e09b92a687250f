"""What a panel costs beside one BOND model: time and memory, one after another or side by side.

    CONVENER_DATA=... python bench/panel_cost.py --set webpage

Each row is a training without a dev set, so that all rounds are run, in a process of its own that
may use all cores and should have them for itself. `workers` is how many experts learn at a time;
memory is that of the process and, where there are several, of its largest worker.
"""

import argparse
import resource
import time
from pathlib import Path

import bond_moe
import jobs

RESULTS = Path(__file__).parent / "results" / "panel_cost.json"
KEY = ("set", "method", "workers", "seed")
RUNS = (("bond", 1), ("bond-moe", 1), ("bond-moe", 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", nargs="+", default=["webpage", "wikigold"])
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    options = jobs.asked(parser, RESULTS, run)
    if options is None:
        return
    wanted = [
        {"set": name, "method": method, "workers": workers, "seed": seed}
        | {"settings": options.setting}
        for seed in options.seed
        for name in options.set
        for method, workers in RUNS
    ]
    jobs.run_all(__file__, wanted, options.results, KEY, options.jobs)


def run(set: str, method: str, workers: int, seed: int, settings: dict[str, str]) -> list[jobs.Row]:
    """Train once."""
    from convener.recipes.run import train_panel

    recipe, changes = bond_moe.METHODS[method], jobs.changes(settings)
    config = bond_moe.configured(recipe, "minilm", seed, changes)
    data = bond_moe.Data(set)
    began = time.monotonic()
    train_panel(data.distant, config, workers=workers)
    row = {"set": set, "method": method, "workers": workers, "seed": seed, "settings": settings}
    row |= {"seconds": round(time.monotonic() - began, 1), "peak_rss_mb": jobs.peak_mb()}
    if workers > 1:
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000
        row["worker_peak_rss_mb"] = largest
    return [row | jobs.provenance()]


if __name__ == "__main__":
    main()
