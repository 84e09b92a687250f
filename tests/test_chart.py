"""Line charts."""

import re
import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st

from convener.evaluation.chart import HEIGHT, WIDTH, line_chart, side_by_side

VALUES = st.lists(
    st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=8
)


@given(VALUES.filter(lambda values: any(value is not None for value in values)))
def test_every_value_is_a_point_inside_the_chart_higher_where_it_is_greater(
    values: list[float | None],
) -> None:
    chart = line_chart("A title", ["x"] * len(values), {"": values})
    ElementTree.fromstring(chart)
    found = re.findall(r"translate\(([\d.-]+),([\d.-]+)\)", chart)
    points = [(float(x), float(y)) for x, y in found]
    known = [value for value in values if value is not None]
    assert len(points) == len(known)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert points == sorted(points)
    order = sorted(range(len(known)), key=known.__getitem__)
    heights = [points[index][1] for index in order]
    assert heights == sorted(heights, reverse=True)


def test_lines_are_named_and_names_escaped() -> None:
    chart = line_chart("F1 & more", ["0 %", "20 %"], {"<one>": [1, 2], "two": [2, None]}, (0, 10))
    assert "&lt;one&gt;" in chart
    root = ElementTree.fromstring(chart)
    texts = [text for node in root.iter() if (text := (node.text or "").strip())]
    assert texts[:2] == ["F1 & more"] * 2
    assert {"<one>", "two", "0 %", "20 %", "0", "10"} <= set(texts)


def test_charts_stand_side_by_side() -> None:
    chart = line_chart("One", ["a"], {"": [1.0]})
    alone = ElementTree.fromstring(side_by_side([chart]))
    assert (alone.get("width"), alone.get("height")) == (str(WIDTH), str(HEIGHT))
    whole = ElementTree.fromstring(side_by_side([chart] * 3))
    places = [group.get("transform") for group in whole]
    assert places == ["translate(0,0)", "translate(360,0)", "translate(0,270)"]
    assert whole.get("viewBox") == "0 0 700 520"


@given(st.integers(1, 16))
def test_any_number_of_lines_can_be_told_apart(count: int) -> None:
    names = [f"expert {number}" for number in range(1, count + 1)]
    chart = line_chart("Groups", ["1", "2"], {name: [1.0, 2.0] for name in names})
    root = ElementTree.fromstring(chart)
    svg = "{http://www.w3.org/2000/svg}"
    kinds = {(g.get("fill"), g[1].get("d")) for g in root.iter(f"{svg}g")}
    assert len(kinds) == count
    texts = {node.text: node for node in root.iter(f"{svg}text")}
    keys = [(float(texts[name].get("x", "")), float(texts[name].get("y", ""))) for name in names]
    assert all(x + 6 * len(name) <= WIDTH for (x, _), name in zip(keys, names, strict=True))
    assert len(set(keys)) == count
    points = [g[1].get("transform", "") for g in root.iter(f"{svg}g")]
    highest = min(float(re.findall(r"[\d.-]+", point)[1]) for point in points)
    assert highest > max(y for _, y in keys)
