"""The served model in a process that is not frostline's."""

import logging
import struct
from io import BytesIO
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import tifffile

from frostline.backbones.viewed import average_over_views
from frostline.data.views import views_of
from frostline.registry.served import ServedClassifier

CONFIG = {
    "classes": ["a", "b", "c"],
    "image_size": 32,
    "resize": "pad",
    "min_side": 1,
    "max_pixels": 10**6,
    "levels": {},
}


def odd_tiff() -> bytes:
    """A sound picture with a tag (282, the resolution) of no known type, which tifffile logs."""
    file = BytesIO()
    tifffile.imwrite(file, np.arange(1024, dtype=np.uint16).reshape(32, 32))
    content = bytearray(file.getvalue())
    first = struct.unpack_from("<I", content, 4)[0] + 2
    tag = next(at for at in range(first, len(content), 12) if struct.unpack_from("<H", content, at)[0] == 282)
    struct.pack_into("<H", content, tag + 2, 99)
    return bytes(content)


def test_decoding_is_silent_and_leaves_the_loggers_of_others_alone(tmp_path, caplog):
    levels = [logging.getLogger(name).level for name in ("PIL", "tifffile")]
    keras.Sequential([keras.Input((32, 32, 3)), keras.layers.GlobalMaxPooling2D()]).save(tmp_path / "model.keras")
    served = ServedClassifier()
    served.load_context(SimpleNamespace(artifacts={"network": str(tmp_path / "model.keras")}, model_config=CONFIG))
    content = odd_tiff()
    tifffile.TiffFile(BytesIO(content)).pages.first.tags.get(282)
    assert caplog.messages, "tifffile has nothing to say of it"
    caplog.clear()
    answer = served.predict(pd.DataFrame({"image": [content]}))
    assert answer["error"].tolist() == [""]
    assert caplog.messages == []
    assert [logging.getLogger(name).level for name in ("PIL", "tifffile")] == levels


def test_a_network_over_many_views_gets_fewer_pictures_at_once(tmp_path, monkeypatch):
    pictures = keras.Input((32, 32, 3))
    vectors = average_over_views(pictures, views_of("flips"), keras.layers.GlobalMaxPooling2D())
    keras.Model(pictures, keras.layers.Softmax()(vectors)).save(tmp_path / "model.keras")
    served = ServedClassifier()
    served.load_context(SimpleNamespace(artifacts={"network": str(tmp_path / "model.keras")}, model_config=CONFIG))
    lengths, predict = [], served._network.predict_on_batch
    monkeypatch.setattr(served._network, "predict_on_batch", lambda x: lengths.append(len(x)) or predict(x))
    answer = served.predict(pd.DataFrame({"image": [odd_tiff()] * 20}))
    assert lengths == [8, 8, 4]
    assert answer["probability"].nunique() == 1
