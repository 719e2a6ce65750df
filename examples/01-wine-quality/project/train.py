"""Predict the quality of wines with an elastic net on the measurements in wine-quality.csv."""

import argparse
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = "quality"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--alpha", type=float, required=True)
    arguments.add_argument("--l1-ratio", type=float, required=True)
    options = arguments.parse_args()

    wines = pd.read_csv("wine-quality.csv")
    print(f"{len(wines)} wines, {len(wines.columns) - 1} measurements each")
    features, quality = wines.drop(columns=TARGET), wines[[TARGET]].astype(float)
    train_x, test_x, train_y, test_y = train_test_split(features, quality, random_state=40, stratify=quality)

    with mlflow.start_run():
        mlflow.log_params({"alpha": options.alpha, "l1_ratio": options.l1_ratio})
        model = make_pipeline(StandardScaler(), ElasticNet(alpha=options.alpha, l1_ratio=options.l1_ratio))
        model.fit(train_x, train_y)

        predicted = model.predict(test_x)
        metrics = {"mae": mean_absolute_error(test_y, predicted), "r2": r2_score(test_y, predicted)}
        mlflow.log_metrics(metrics)
        print(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))

        mlflow.sklearn.log_model(model, name="model", signature=mlflow.models.infer_signature(train_x, predicted))
        log_samples(train_x.head(), train_y.head())


def log_samples(head_input: pd.DataFrame, head_output: pd.DataFrame) -> None:
    """Log samples of input and output next to the model; ODAHU derives the model's schema from them."""
    for name, sample in {"head_input.pkl": head_input, "head_output.pkl": head_output}.items():
        sample.to_pickle(name)
        mlflow.log_artifact(name, "model")
        Path(name).unlink()


if __name__ == "__main__":
    main()
