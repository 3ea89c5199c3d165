"""What is served: estimator + calibrator + cut-points + feature names, stored as JSON and nothing executable."""

from __future__ import annotations

import dataclasses

import orjson

from groundswell.calibration.ranges import PLAIN_REACH, Reach
from groundswell.calibration.scores import Floats
from groundswell.calibration.temperature import Temperature
from groundswell.calibration.tier_calibration import TierCalibrator, tier_calibrator_from_content
from groundswell.errors import ArtifactError
from groundswell.estimators import Estimator, estimator_from_content
from groundswell.records import Window
from groundswell.reference import Reference, reference_from_content

#: The format of models whose calibrator is a temperature, which every version reads, and of those with another: a
#: version that knows only temperatures refuses the latter by its number.
FORMAT, FORMAT_OF_OTHER_CALIBRATORS = 1, 2


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """The pair that is served, and what it needs to know of its own making.

    `reference` is how its training features were spread, against which drift is measured. `typical` is the median of
    each feature in training, against which reasons are given. Both are empty in models made before there were such.
    """

    window: Window
    feature_names: tuple[str, ...]
    label: str
    cut_points: tuple[float, ...] | None
    estimator: Estimator
    calibrator: TierCalibrator
    reach: Reach = PLAIN_REACH
    typical: tuple[float | None, ...] = ()
    label_age_hours: float | None = None
    reference: Reference | None = None

    def probabilities(self, features: Floats) -> Floats:
        """Return calibrated probabilities of shape (rows, 5)."""
        return self.calibrator.apply(self.estimator.probabilities(features))

    def to_bytes(self) -> bytes:
        """Return the model as canonical JSON: the same model gives the same bytes."""
        content = {
            "format": FORMAT if isinstance(self.calibrator, Temperature) else FORMAT_OF_OTHER_CALIBRATORS,
            "window": self.window.value,
            "featureNames": self.feature_names,
            "label": self.label,
            "cutPoints": self.cut_points,
            "estimator": self.estimator.content(),
            "calibrator": self.calibrator.content(),
            "reach": self.reach.mass,
            "typical": self.typical,
            "labelAgeHours": self.label_age_hours,
            "reference": None if self.reference is None else self.reference.content(),
        }
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def model_from_bytes(data: bytes) -> Model:
    """Return the model stored in the bytes; raises ArtifactError where they are not one of ours."""
    try:
        content = orjson.loads(data)
        if content["format"] not in {FORMAT, FORMAT_OF_OTHER_CALIBRATORS}:
            known = f"{FORMAT} and {FORMAT_OF_OTHER_CALIBRATORS}"
            raise ArtifactError(f"The model has format {content['format']}, this version reads {known}.")
        cut_points, names = content["cutPoints"], tuple(content["featureNames"])
        return Model(
            window=Window(content["window"]),
            feature_names=names,
            label=content["label"],
            cut_points=None if cut_points is None else tuple(cut_points),
            estimator=estimator_from_content(content["estimator"], len(names)),
            calibrator=tier_calibrator_from_content(content["calibrator"]),
            # Models of the first release have none of these.
            reach=Reach(float(content["reach"])) if "reach" in content else PLAIN_REACH,
            typical=tuple(content.get("typical", ())),
            label_age_hours=content.get("labelAgeHours"),
            reference=reference_from_content(content["reference"]) if content.get("reference") else None,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"The artifact is not a model of groundswell: {error}.") from None
