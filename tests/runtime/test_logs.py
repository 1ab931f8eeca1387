import logging

import pytest

from frostline.runtime.logs import quieted


def test_what_lies_below_the_level_is_held_back_inside_the_block_alone(caplog):
    caplog.set_level(logging.INFO)
    with quieted("noisy", level=logging.ERROR):
        logging.getLogger("noisy.part").warning("held back")
        logging.getLogger("noisy.part").error("told")
    logging.getLogger("noisy.part").warning("told again")
    assert caplog.messages == ["told", "told again"]


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.CRITICAL])
def test_a_logger_gets_its_own_level_back_also_after_an_error(level):
    logger = logging.getLogger("noisy.own")
    logger.setLevel(level)
    with pytest.raises(KeyError), quieted("noisy.own", "noisy.other"):
        raise KeyError
    assert (logger.level, logging.getLogger("noisy.other").level) == (level, logging.NOTSET)


def test_who_has_silenced_a_logger_does_not_hear_it_again():
    logging.getLogger("silent").setLevel(logging.CRITICAL)
    with quieted("silent.part", level=logging.WARNING):
        assert not logging.getLogger("silent.part").isEnabledFor(logging.ERROR)
