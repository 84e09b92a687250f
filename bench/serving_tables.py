"""Tables on the server."""

from markdown import load, table


def serving() -> str:
    """Throughput and latency by mode and number of clients."""
    rows = [row for row in load("serving") if row["task"] == "serve"]
    columns = {
        "p50_ms": ",.0f",
        "p99_ms": ",.0f",
        "cpu_ms": ".1f",
        "errors": "",
        "peak_rss_mb": ",",
    }
    return table(
        [
            "clients",
            "",
            "requests/s",
            "p50, ms",
            "p99, ms",
            "CPU a request, ms",
            "errors",
            "peak MB",
        ],
        (
            [str(row["clients"]), row["mode"], f"{row['requests_per_second']:.0f}"]
            + [format(row[name], shape) for name, shape in columns.items()]
            for row in rows
        ),
    )


def serving_memory() -> str:
    """Memory after more and more requests."""
    rows = [row for row in load("serving") if row["task"] == "memory"]
    return table(
        ["further requests", *(f"{row['further_requests']:,}" for row in rows)],
        [["MB", *(f"{row['rss_mb']:,}" for row in rows)]],
    )
