#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the files of fixtures/ anew: models of LightGBM and XGBoost with what they predict themselves.

make_fixtures.py FOLDER [NAME ...] needs numpy and, for the names asked for, lightgbm or xgboost. The names ending in
_v3 were made with LightGBM 3.3.5, other lightgbm_ ones with 4.7.0, xgboost_ ones with 3.2.0.

<name>.rows has a row a line: the features, then the raw score, as hexadecimal floats: float32, and float64 the score of
LightGBM, float32 that of XGBoost.
"""
import sys

import numpy as np

FEATURES = ["likes", "age", "length", "hour"]
ROWS = 150


def training_data(missing):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(3000, len(FEATURES))).astype(np.float32)
    x[:, 1] = np.round(np.exp(2 * x[:, 1]))  # a count with many zeros
    x[:, 3] = rng.integers(0, 24, size=3000)
    if missing:
        x[rng.random(x.shape) < 0.15] = np.nan
    z = np.nan_to_num(x)
    signal = z[:, 0] - 0.5 * np.log1p(z[:, 1]) + np.sin(z[:, 3] / 4) * z[:, 2] + np.isnan(x[:, 0])
    noise = rng.normal(size=3000)
    return x, signal + noise


def hard_values(thresholds):
    """Values next to the thresholds, and those that libraries treat in ways of their own."""
    values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1e-36, -1e-36, 1e-40, 2e-35, -2e-35, 3e38, -3e38]
    for t in thresholds:
        near = np.float32(t)
        values += [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return np.array(values, dtype=np.float32)


def test_rows(thresholds):
    rng = np.random.default_rng(11)
    x = rng.normal(size=(ROWS, len(FEATURES))).astype(np.float32)
    for f in range(len(FEATURES)):
        hard = hard_values(thresholds[f])
        chosen = rng.random(ROWS) < 0.7
        x[chosen, f] = hard[rng.integers(0, len(hard), size=ROWS)][chosen]
    return x


def write_rows(path, x, score):
    with open(path, "w", encoding="ascii") as file:
        for row, value in zip(x, score):
            file.write(" ".join(float(v).hex() for v in [*row, value]) + "\n")


def replace_values(text, replace):
    """Thresholds and decision types by replace(index of the node, threshold, type), which gives both."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if line.startswith("threshold=") and lines[at + 1].startswith("decision_type="):
            pairs = zip(line.split("=")[1].split(), lines[at + 1].split("=")[1].split())
            pairs = [replace(n, float(threshold), int(kind)) for n, (threshold, kind) in enumerate(pairs)]
            lines[at] = "threshold=" + " ".join(f"{threshold:.17g}" for threshold, _ in pairs)
            lines[at + 1] = "decision_type=" + " ".join(str(kind) for _, kind in pairs)
    return "\n".join(lines)


def tiny_thresholds(n, threshold, kind):
    tiny = [0.0, 1e-36, -1e-36, -1.0000000180025095e-35, 1e-40, 1e39, -1e39, 3.4028234663852886e38]
    return (tiny[n % len(tiny)] if n > 0 else threshold), kind


def zeros_by_threshold(n, threshold, kind):
    return threshold, 6 if threshold >= 0 else 4


def make_lightgbm(folder, name, missing=True, names=FEATURES, trees=12, label=lambda y: y > 0.5, replace=None,
                  refused=False, **params):
    import lightgbm

    x, y = training_data(missing)
    params = {"objective": "binary", "num_leaves": 12, "verbose": -1, "num_threads": 1, "seed": 1,
              "deterministic": True, "force_row_wise": True} | params
    categorical = params.pop("categorical_feature", "auto")
    data = lightgbm.Dataset(x, label(y).astype(np.float64), params=params,
                            feature_name=names if names else "auto", categorical_feature=categorical)
    text = lightgbm.train(params, data, trees).model_to_string()
    text = text[:text.index("end of trees")] + "end of trees\n"
    sizes = text.index("tree_sizes=")
    if replace:
        text = replace_values(text, replace)
        trees_text = text[text.index("Tree=0"):text.index("end of trees")].split("Tree=")[1:]
        header = text[:sizes] + "tree_sizes=" + " ".join(str(len("Tree=" + tree)) for tree in trees_text) + "\n\n"
        text = header + "".join("Tree=" + tree for tree in trees_text) + "end of trees\n"
    model = lightgbm.Booster(model_str=text + "\nparameters:\nend of parameters\n")
    thresholds = [[] for _ in FEATURES]
    lines = text.split("\n")
    for splits, values in zip([line for line in lines if line.startswith("split_feature=")],
                              [line for line in lines if line.startswith("threshold=")]):
        for f, t in zip(splits.split("=")[1].split(), values.split("=")[1].split()):
            thresholds[int(f)].append(float(t))
    rows = test_rows(thresholds)
    with open(f"{folder}/{name}.txt", "w", encoding="ascii") as file:
        file.write(text)
    if not refused:
        write_rows(f"{folder}/{name}.rows", rows, model.predict(rows, raw_score=True))


def make_xgboost(folder, name):
    import xgboost

    x, y = training_data(True)
    params = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 1}
    model = xgboost.train(params, xgboost.DMatrix(x, y > 0.5, feature_names=FEATURES), 8)
    frame = [line.split("[")[1].split("]")[0].split("<") for tree in model.get_dump() for line in tree.split("\n")
             if "[" in line]
    rows = test_rows([[float(t) for f, t in frame if f == feature] for feature in FEATURES])
    rows[np.isinf(rows)] = 0  # refused by xgboost's Python
    model.save_model(f"{folder}/{name}.json")
    model.save_model(f"{folder}/{name}.ubj")
    write_rows(f"{folder}/{name}.rows", rows,
               model.predict(xgboost.DMatrix(rows, feature_names=FEATURES), output_margin=True))


MAKERS = {
    "lightgbm_binary": lambda folder, name: make_lightgbm(folder, name),
    "lightgbm_sigmoid": lambda folder, name: make_lightgbm(folder, name, sigmoid=0.7, names=None),
    "lightgbm_no_missing": lambda folder, name: make_lightgbm(folder, name, missing=False, use_missing=False),
    "lightgbm_regression": lambda folder, name: make_lightgbm(folder, name, objective="regression",
                                                              label=lambda y: 100 * y),
    "lightgbm_dart": lambda folder, name: make_lightgbm(folder, name, boosting="dart", drop_rate=0.5, trees=6),
    "lightgbm_many": lambda folder, name: make_lightgbm(folder, name, trees=60, num_leaves=6),
    "lightgbm_v3": lambda folder, name: make_lightgbm(folder, name, objective="cross_entropy", trees=6),
    "lightgbm_zero": lambda folder, name: make_lightgbm(folder, name, zero_as_missing=True, trees=3,
                                                        refused=True),
    "lightgbm_zero_exact": lambda folder, name: make_lightgbm(folder, name, trees=4, replace=zeros_by_threshold),
    "lightgbm_tiny": lambda folder, name: make_lightgbm(folder, name, trees=6, replace=tiny_thresholds),
    "lightgbm_rf": lambda folder, name: make_lightgbm(folder, name, boosting="rf", bagging_freq=1,
                                                      bagging_fraction=0.5, num_leaves=3, trees=2, refused=True),
    "lightgbm_linear": lambda folder, name: make_lightgbm(folder, name, linear_tree=True, num_leaves=3, trees=2,
                                                          objective="regression", refused=True),
    "lightgbm_categorical": lambda folder, name: make_lightgbm(folder, name, categorical_feature=[3], missing=False,
                                                               trees=3, refused=True),
    "lightgbm_constant": lambda folder, name: make_lightgbm(folder, name, label=lambda y: y > 1e9, trees=2),
    "xgboost_pair": make_xgboost,
}

if __name__ == "__main__":
    for wanted in sys.argv[2:] or MAKERS:
        MAKERS[wanted](sys.argv[1], wanted)
