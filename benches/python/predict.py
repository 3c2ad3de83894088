"""The job of `kiln predict` as one writes it in Python: predict.py MODEL FILE OUTPUT."""

import sys

import joblib
import pandas as pd

model, file, output = sys.argv[1:]
pipeline = joblib.load(model)
probabilities = pipeline.predict_proba(pd.read_csv(file))
result = pd.DataFrame(probabilities, columns=[f"probability_{c}" for c in pipeline.classes_])
result.insert(0, "prediction", pipeline.classes_[probabilities.argmax(axis=1)])
result.to_csv(output, index=False)
