"""The pipeline on a small GA360 export."""

import datetime
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

import schema
from runners import local_runner
from tests.schema.ga360_sessions import GA360_SCHEMA, session
from tests.support import states

LAST = datetime.date(2025, 3, 31)
DAYS = 101  # eight weekly snapshots with their lookback, labels and settling
VISITORS = 1200


def write_export(folder):
    rng = np.random.default_rng(0)
    keen = rng.random(VISITORS)
    for back in range(DAYS):
        day = LAST - datetime.timedelta(days=back)
        visitors = np.flatnonzero(rng.random(VISITORS) < 0.12)
        rows = [
            session(
                f"visitor-{visitor}",
                day,
                number=int(rng.integers(1, 9)),
                page_views=int(rng.integers(1, 9)),
                hits=3,
                actions=["2", "3"] if rng.random() < keen[visitor] else ["2"],
                transactions=1 if rng.random() < 0.25 * keen[visitor] else None,
                revenue=12.5,
                seconds=int(rng.integers(0, 600)),
                device=rng.choice(["desktop", "mobile"]),
                os="Linux",
                browser="Firefox",
                language="de",
                country=rng.choice(["Germany", "France"]),
                region="Hesse",
                source="(direct)",
                medium=rng.choice(["organic", "referral"]),
                channel="Direct",
            )
            for visitor in visitors
        ]
        pq.write_table(pa.Table.from_pylist(rows, GA360_SCHEMA), folder / f"ga_sessions_{day:%Y%m%d}.parquet")


def test_a_ga360_export_goes_the_whole_way(tmp_path, capfd):
    (tmp_path / "export").mkdir()
    write_export(tmp_path / "export")
    folder = shutil.copytree(schema.ROOT / "ga360", tmp_path / "schema" / "ga360")
    document = yaml.safe_load((folder / "dataset.yaml").read_text())
    document["training"] = {"keras": {"max_steps": 100}}
    document["evaluation"] = {}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(document))
    arguments = ["--dataset", "ga360", "--schema-root", str(tmp_path / "schema"), "--output", str(tmp_path / "output")]
    code = local_runner.main([*arguments, "--data", str(tmp_path / "export")])
    shown = capfd.readouterr().out
    assert code == 0, shown
    assert "PUSHED" in shown
    assert "visitor-" not in shown
    assert set(states(tmp_path / "output" / "ga360")[-1].values()) == {"COMPLETE"}
