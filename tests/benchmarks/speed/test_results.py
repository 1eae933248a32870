import pytest

from benchmarks.speed import results, tables
from benchmarks.speed.measure import Cost
from benchmarks.speed.runs import Run


def run(kind, rows=200_000, wall=0.0, cpu=0.0, repeat=0, **steps):
    costs = tuple(Cost(name, seconds, 2 * seconds, 1000.0 + seconds) for name, seconds in steps.items())
    return Run(kind, rows, repeat, wall, cpu, 40_000, costs)


STOCK = run("stock", wall=240, cpu=300, Transform=100, Evaluator=120)
OURS = run("ours", wall=40, cpu=44, Transform=10, Evaluator=4, Report=16)
FLOOR = run("floor", wall=20, cpu=22, imports=5, keras=12)


def test_document_has_the_keys_and_definitions_that_are_documented():
    document = results.document([STOCK, OURS, FLOOR], 200_000)
    assert document["rows"] == 200_000
    transform = document["components"]["Transform"]
    assert (transform["stock_s"], transform["ours_s"], transform["ratio"]) == (100, 10, 10)
    assert (transform["stock_cpu_s"], transform["ours_cpu_s"], transform["cpu_ratio"]) == (200, 20, 10)
    assert (transform["stock_peak_mib"], transform["ours_peak_mib"]) == (1100, 1010)
    total = document["total"]
    assert (total["stock_s"], total["ours_s"], total["floor_s"]) == (240, 40, 20)
    assert total["ratio"] == 240 / (40 - 16)  # without the Report, which stock lacks, but with the start
    assert total["ratio_all"] == 240 / 40
    assert total["over_floor"] == 40 / 20
    assert total["cpu_ratio"] == round(300 / (44 - 32), 2)
    assert document["evaluated_rows"] == {"stock": 40_000, "ours": 40_000, "floor": 40_000}


def test_component_that_stock_lacks_has_no_ratio():
    found = results.document([STOCK, OURS, FLOOR], 200_000)["components"]["Report"]
    assert (found["stock_s"], found["ours_s"], found["ratio"]) == (None, 16, None)


def test_repeated_runs_count_by_their_median():
    runs = [run("ours", wall=wall, repeat=i, Transform=wall / 4) for i, wall in enumerate((40, 100, 44))]
    document = results.document([STOCK, *runs, FLOOR], 200_000)
    assert document["total"]["ours_s"] == 44 and document["components"]["Transform"]["ours_s"] == 11
    assert document["repeats"] == {"stock": 1, "ours": 3, "floor": 1}


def test_runs_of_other_sizes_are_not_compared():
    document = results.document([STOCK, OURS, FLOOR, run("ours", rows=50_000, wall=7)], 200_000)
    assert document["total"]["ours_s"] == 40


def test_without_a_stock_run_its_figures_are_absent():
    document = results.document([OURS, FLOOR], 200_000)
    assert document["total"]["ratio"] is None and document["total"]["ratio_all"] is None
    assert document["total"]["over_floor"] == 2
    assert "-" in tables.component_table(document).text()


def test_growth_tells_what_further_rows_cost():
    runs = [
        run("ours", rows=50_000, wall=20, cpu=22, Transform=1),
        run("floor", rows=50_000, wall=10, cpu=11, keras=1),
        run("ours", rows=200_000, wall=26, cpu=31, Transform=1),
        run("floor", rows=200_000, wall=14, cpu=17, keras=1),
        run("ours", rows=1_000_000, wall=66, cpu=71, Transform=1),  # the floor did not run at this size
    ]
    small, large = results.growth(runs)
    assert small["marginal"] is None and small["ours_s"] == 20
    assert large["marginal"] == {
        "ours_s": 4,
        "floor_s": pytest.approx(4 / 1.5, abs=1e-3),
        "ours_cpu_s": 6,
        "floor_cpu_s": 4,
        "factor": 1.5,
        "cpu_factor": 1.5,
    }


def test_factor_over_a_floor_that_did_not_grow_is_absent():
    runs = [run(kind, rows=rows, wall=10, cpu=10, step=1) for kind in ("ours", "floor") for rows in (50_000, 200_000)]
    assert results.growth(runs)[1]["marginal"]["factor"] is None


def test_tables_show_every_component_and_the_totals():
    document = results.document([STOCK, OURS, FLOOR, run("ours", rows=50_000, wall=9, x=1)], 200_000)
    component, floor, growth = tables.tables({**document, "storage_api": None})
    rows = {row[0]: row[1:] for row in component.rows}
    assert "(test rows: stock 40,000, ours 40,000, floor 40,000)" in component.title
    assert rows["Transform"] == ("100.0", "10.0", "10.0 x", "200.0", "20.0", "10.0 x", "1,100", "1,010")
    assert rows["Report"][:3] == ("-", "16.0", "-")
    assert rows["start, imports, runner"][:3] == ("20.0", "10.0", "2.0 x")
    assert rows["TOTAL, steps that stock has"][:3] == ("240.0", "24.0", "10.0 x")
    assert rows["TOTAL, all steps"][:3] == ("240.0", "40.0", "6.0 x")
    assert floor.rows[-2][:2] == ("TOTAL, raw floor", "20.0") and floor.rows[-1][1] == "2.0 x"
    assert [row[0] for row in growth.rows] == ["200,000"]  # at 50,000 the floor did not run


def test_storage_table_is_there_if_it_was_measured():
    sides = {f"{kind}_{key}": 10.0 for kind in ("stock", "ours") for key in ("s", "cpu_s", "peak_mib")}
    document = results.document([STOCK, OURS, FLOOR], 200_000) | {"storage_api": {"rows": 5_000, **sides}}
    table = tables.tables(document)[-1]
    assert "5,000 rows" in table.title and table.rows[0][3] == "1.0 x"


def test_text_is_aligned_and_markdown_is_a_table():
    table = tables.Table("T", ("name", "s"), (("a", "1.0"), ("longer", "10.0")))
    assert table.text().splitlines() == ["T", "name       s", "a        1.0", "longer  10.0"]
    assert table.markdown().splitlines()[2:] == ["| name | s |", "| --- | ---: |", "| a | 1.0 |", "| longer | 10.0 |"]
