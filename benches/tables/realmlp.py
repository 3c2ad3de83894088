"""RealMLP with its tuned defaults on one fold: prints the seconds of `fit` and the log loss, as JSON."""

import json
import sys
import time

import pandas as pd
from pytabkit import RealMLP_TD_Classifier
from sklearn.metrics import log_loss

about = json.loads(sys.argv[1])


def read(path):
    return pd.read_csv(
        path,
        sep=about["delimiter"],
        header=0 if about["header"] else None,
        na_values=about["missing"],
        skipinitialspace=True,
    )


train, test = read(about["train"]), read(about["test"])
target = about["target"]
ignored = [column for column in train.columns if str(column) in about["ignore"]]
names = [
    column
    for column in train.columns
    if not pd.api.types.is_numeric_dtype(train[column]) or str(column) in (about["categorical"] or [])
]


def features(table):
    table = table.drop(columns=[target, *ignored])
    for column in table.columns:
        if column in names:
            table[column] = table[column].astype(object).where(table[column].notna(), "").astype(str)
        else:
            table[column] = table[column].fillna(train[column].median())
    return table.rename(columns=str)


x, y = features(train), train[target].astype(str)
categorical = [str(column) for column in names if column != target and column not in ignored]
model = RealMLP_TD_Classifier(device="cpu", random_state=0, verbosity=0)
start = time.perf_counter()
model.fit(x, y, cat_col_names=categorical)
seconds = time.perf_counter() - start
loss = log_loss(test[target].astype(str), model.predict_proba(features(test)), labels=model.classes_)
print(json.dumps({"seconds": seconds, "log_loss": loss}))
