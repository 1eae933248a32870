"""How close each family's newest model is to the optimum on the sample's test rows.

    python -m benchmarks.known_optimum --output output/ga4 --sample data/sample

The sample's generator writes the probability p with which it drew each label. ROC AUC hardly separates a good model
from the best one. The mean Kullback-Leibler divergence KL(p || q) to the model's probability q does: 0 is the optimum.
Divided by the divergence to the base rate, it is the share of the predictable that the model misses.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from models.families import FAMILIES


@dataclasses.dataclass(frozen=True)
class Scores:
    """Measures of predictions on one set of rows; `kl` is in nats, and None if the truth is unknown."""

    roc_auc: float
    pr_auc: float
    log_loss: float
    calibration_slope: float
    kl: float | None = None


@dataclasses.dataclass(frozen=True)
class OptimumScores:
    """The models, the drawn probabilities and the training base rate on the same test rows.

    Attributes:
        rows: number of test rows.
        positives: number of positives among them.
        models: scores by the family's title.
        drawn: scores of the drawn probabilities: the optimum.
        base_rate_kl: divergence to the base rate of the training rows.
    """

    rows: int
    positives: int
    models: dict[str, Scores]
    drawn: Scores
    base_rate_kl: float


def scores(label: np.ndarray, predicted: np.ndarray, drawn: np.ndarray | None = None) -> Scores:
    """Measures predictions `[n]` against 0/1 labels `[n]` and, if they are known, drawn probabilities `[n]`."""
    clipped = np.clip(predicted, 1e-9, 1 - 1e-9)
    logit = np.log(clipped / (1 - clipped))[:, None]
    return Scores(
        roc_auc=roc_auc_score(label, predicted),
        pr_auc=average_precision_score(label, predicted),
        log_loss=log_loss(label, clipped),
        calibration_slope=float(LogisticRegression(C=np.inf, tol=1e-8).fit(logit, label).coef_[0, 0]),
        kl=None if drawn is None else mean_kl(drawn, clipped),
    )


def mean_kl(p: np.ndarray, q: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence of Bernoulli distributions, in nats: p `[n]` true, q `[n]` predicted."""
    p, q = (np.clip(values.astype(np.float64), 1e-12, 1 - 1e-12) for values in (p, q))
    return float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


def compare_with_optimum(output: Path, sample: Path) -> OptimumScores:
    """Scores the newest trained models of an output folder on its newest test examples.

    Args:
        output: the folder `<output>/<data set>` of a run on the sample.
        sample: the sample's folder, with `drawn_probabilities.parquet`.
    """
    import tensorflow as tf

    from pipeline.examples.files import matching, serialised

    models = {
        title: tf.saved_model.load(_newest(output, f"Train{title}/model/*/Format-Serving"))
        for title in FAMILIES.values()
        if (output / "artifacts" / f"Train{title}").is_dir()
    }
    examples = _newest(output, "BigQueryExampleGen/examples/*")
    truth = pq.read_table(sample / "drawn_probabilities.parquet").to_pydict()
    drawn_of = {
        (hashlib.md5(user.encode()).hexdigest().encode(), date.isoformat().encode()): probability
        for user, date, probability in zip(
            truth["user_pseudo_id"], truth["snapshot_date"], truth["probability"], strict=True
        )
    }
    spec = {
        "unit": tf.io.FixedLenFeature([], tf.string),
        "snapshot_date": tf.io.FixedLenFeature([], tf.string),
        "converted": tf.io.FixedLenFeature([], tf.int64),
    }
    label, drawn, predicted = [], [], {title: [] for title in models}
    for batch in serialised(matching(f"{examples}/Split-test/*")):
        parsed = tf.io.parse_example(batch, spec)
        keys = zip(parsed["unit"].numpy(), parsed["snapshot_date"].numpy(), strict=True)
        drawn.append(np.array([drawn_of[key] for key in keys]))
        label.append(parsed["converted"].numpy())
        for title, model in models.items():
            predicted[title].append(
                model.signatures["serving_default"](tf.constant(batch))["probability"].numpy().ravel()
            )
    label, drawn = np.concatenate(label), np.concatenate(drawn)
    base_rate = _training_base_rate(examples)
    return OptimumScores(
        rows=len(label),
        positives=int(label.sum()),
        models={title: scores(label, np.concatenate(parts), drawn) for title, parts in predicted.items()},
        drawn=scores(label, drawn, drawn),
        base_rate_kl=mean_kl(drawn, np.full(len(drawn), base_rate)),
    )


def _newest(output: Path, pattern: str) -> str:
    found = sorted((output / "artifacts").glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"no {pattern} in {output / 'artifacts'}: run the pipeline first")
    return str(found[-1])


def _training_base_rate(examples: str) -> float:
    import tensorflow as tf

    from pipeline.examples.files import matching, serialised

    spec = {"converted": tf.io.FixedLenFeature([], tf.int64)}
    batches = serialised(matching(f"{examples}/Split-train/*"))
    return float(np.concatenate([tf.io.parse_example(batch, spec)["converted"].numpy() for batch in batches]).mean())


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/ga4"))
    parser.add_argument("--sample", type=Path, default=Path("data/sample"))
    args = parser.parse_args()
    result = compare_with_optimum(args.output, args.sample)
    print(f"{result.rows:,} test rows, {result.positives:,} positives")
    print(f"{'':<22}{'ROC AUC':>9}{'PR-AUC':>9}{'log loss':>10}{'slope':>8}{'KL':>10}")
    for name, row in (*result.models.items(), ("drawn probabilities", result.drawn)):
        print(
            f"{name:<22}{row.roc_auc:>9.4f}{row.pr_auc:>9.4f}{row.log_loss:>10.4f}{row.calibration_slope:>8.3f}"
            f"{row.kl:>10.6f}{row.kl / result.base_rate_kl:>8.1%}"
        )
    print(f"KL: divergence from the drawn probabilities, and its share of the base rate's, {result.base_rate_kl:.6f}")


if __name__ == "__main__":
    main()
