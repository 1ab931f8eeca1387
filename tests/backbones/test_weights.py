import keras
import pytest

from frostline.backbones.weights import digest

BUILT = ["MobileNetV3Small", "ConvNeXtTiny"]


@pytest.mark.parametrize("name", BUILT)
def test_the_digest_knows_weights_by_value_and_not_by_the_numbers_that_keras_gives(name):
    build = getattr(keras.applications, name)
    first, second = (build(weights=None, include_top=False, input_shape=(32, 32, 3)) for _ in range(2))
    assert digest(first) != digest(second)
    second.set_weights(first.get_weights())
    assert [layer.name for layer in first.layers] != [layer.name for layer in second.layers]
    assert digest(first) == digest(second)
    last = second.weights[-1]
    last.assign(keras.ops.convert_to_numpy(last) + 1)
    assert digest(first) != digest(second)
