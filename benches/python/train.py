"""The job of `kiln train` as one writes it in Python: train.py FILE TARGET [MODEL]."""

import sys

import joblib
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

file, target, *model = sys.argv[1:]
table = pd.read_csv(file)
features = table.drop(columns=target)

preprocess = make_column_transformer(
    (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
)
pipeline = make_pipeline(preprocess, MLPClassifier(early_stopping=True, random_state=0))
pipeline.fit(features, table[target])
if model:
    joblib.dump(pipeline, model[0])
