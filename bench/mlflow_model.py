"""Run by mlflow's own Python: writes a booster, LightGBM's text, as a model that `mlflow models serve` takes."""

from __future__ import annotations

import sys


def main(text_file: str, folder: str) -> None:
    """Write the model into the folder."""
    import lightgbm
    import mlflow.lightgbm  # type: ignore[import-not-found,unused-ignore]

    mlflow.lightgbm.save_model(lightgbm.Booster(model_file=text_file), folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
