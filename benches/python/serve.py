"""An exported model behind FastAPI and onnxruntime: what `benches/serve.py` compares `kiln serve` with.

MODEL names an ONNX file of `kiln export --inputs matrix`. Requests and answers are those of `kiln serve`. It is
written for speed: no validation, orjson, one thread of onnxruntime in each worker.
"""

import json
import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
metadata = session.get_modelmeta().custom_metadata_map
columns = json.loads(metadata["kiln.inputs"])[0]["columns"]
classes = json.loads(metadata["kiln.classes"])
app = FastAPI()


@app.post("/v1/predict")
async def predict(request: Request):
    rows = orjson.loads(await request.body())["rows"]
    features = np.array([[row[name] for name in columns] for row in rows], dtype=np.float64)
    decisions, probabilities = session.run(None, {"features": features})
    predictions = [
        {"class": decision, "probabilities": row}
        for decision, row in zip(decisions.tolist(), probabilities.tolist())
    ]
    answer = orjson.dumps({"classes": classes, "predictions": predictions})
    return Response(answer, media_type="application/json")
