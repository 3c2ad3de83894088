"""Prints what TensorBoard reads from a folder of event files, one value a line."""

import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.util import tensor_util

KINDS = ["scalars", "histograms", "images", "tensors"]
accumulator = EventAccumulator(sys.argv[1], size_guidance=dict.fromkeys(KINDS, 0))
accumulator.Reload()
tags = accumulator.Tags()

for tag in tags["scalars"]:
    for event in accumulator.Scalars(tag):
        # As the f32 that it is: its shortest digits.
        print("scalar", tag, event.step, numpy.float32(event.value))
for tag in tags["histograms"]:
    for event in accumulator.Histograms(tag):
        value = event.histogram_value
        shape = len(value.bucket_limit), len(value.bucket), sum(value.bucket)
        print("histogram", tag, event.step, value.min, value.max, value.num, value.sum, end=" ")
        print(value.sum_squares, *shape)
for tag in tags["images"]:
    for event in accumulator.Images(tag):
        print("image", tag, event.step, event.width, event.height, len(event.encoded_image_string))
for tag in tags["tensors"]:
    metadata = accumulator.SummaryMetadata(tag).plugin_data
    for event in accumulator.Tensors(tag):
        value = tensor_util.make_ndarray(event.tensor_proto)
        print("tensor", tag, event.step, metadata.plugin_name, value.shape, repr(value.tolist()))
    if metadata.plugin_name != "hparams":
        continue
    data = plugin_data_pb2.HParamsPluginData.FromString(metadata.content)
    if data.HasField("experiment"):
        for info in data.experiment.hparam_infos:
            print("column", info.name, api_pb2.DataType.Name(info.type))
        for info in data.experiment.metric_infos:
            print("metric", info.name.tag)
    if data.HasField("session_start_info"):
        print("session", data.session_start_info.group_name)
        for name, value in sorted(data.session_start_info.hparams.items()):
            kind = value.WhichOneof("kind")
            print("value", name, kind, getattr(value, kind))
    if data.HasField("session_end_info"):
        print("end", api_pb2.Status.Name(data.session_end_info.status))
