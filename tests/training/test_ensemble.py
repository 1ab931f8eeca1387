"""An ensemble of heads on one backbone is one head, in validation, refitted, served, and where training starts."""

import numpy as np
import pytest
from points import head, point
from scipy.special import softmax

from frostline.data.views import under, views_of
from frostline.statistics.temperature import fit_temperature, soften
from frostline.training.ensemble import join, member_settings
from frostline.training.ridge import fit_ridge, moments
from frostline.training.settings import Member

MEMBERS = (
    Member(blocks=(3,), pooling="average", share=0.5),
    Member(blocks=(1, 5), pooling="maximum", share=0.3),
    Member(blocks=(3, 5), pooling="both", share=0.2),
)
ENSEMBLE = head(blocks=(1, 3, 5), members=MEMBERS)


def mean_of(settings, logits):
    """The mean by shares of what `logits` gives of each member's settings."""
    return sum(
        member.share * logits(head(blocks=member.blocks, pooling=member.pooling, views=settings.test_views))
        for member in settings.members
    )


def test_heads_on_parts_of_the_features_are_joined_into_one_on_all():
    rng, channels, rows = np.random.default_rng(0), {1: 2, 3: 3, 5: 4}, np.arange(20)
    maps = {block: rng.normal(2, 3, (20, 2 * width)).astype(np.float32) for block, width in channels.items()}
    labels, weights = np.arange(20) % 3, np.ones(3, dtype=np.float32)

    def read(member):
        kept = {"average": lambda x: x[:, : x.shape[1] // 2], "maximum": lambda x: x[:, x.shape[1] // 2 :]}
        return [kept.get(member.pooling, np.asarray)(maps[block]) for block in member.blocks]

    heads, expected = [], 0
    for member in MEMBERS:
        parts = read(member)
        features, widths = np.concatenate(parts, axis=1), [part.shape[1] for part in parts]
        heads += fit_ridge(features, rows, labels, weights, widths, (0.01,))
        expected = expected + member.share * heads[-1].logits(features)
    whole = np.concatenate([maps[block] for block in ENSEMBLE.blocks], axis=1)
    joined = join(heads, ENSEMBLE, channels, moments(whole, rows))
    np.testing.assert_allclose(joined.logits(whole), expected, atol=1e-4)


def test_each_member_is_a_head_of_its_own_under_the_same_views():
    thawed = point(blocks=(1, 3, 5), members=MEMBERS, views="flips", test_views="identity")
    expected = [
        head(blocks=(3,), pooling="average", views="identity"),
        head(blocks=(1, 5), pooling="maximum", views="identity"),
        head(blocks=(3, 5), views="identity"),
    ]
    assert member_settings(thawed) == expected


def test_it_is_scored_by_the_mean_of_its_members(trainer, watcher):
    scores, heads = trainer.heads.scores(ENSEMBLE), trainer.heads
    expected = mean_of(ENSEMBLE, lambda member: heads.scores(member).logits)
    np.testing.assert_allclose(scores.logits, expected, atol=1e-4)
    labels = np.tile(trainer.cell.packed.labels[trainer.cell.validation_rows], 3)
    probabilities = softmax(expected.reshape(-1, 2).astype(np.float64), axis=1)
    assert scores.temperature == pytest.approx(fit_temperature(labels, probabilities), rel=1e-3)
    result = trainer.validate(ENSEMBLE, 3, watcher)
    right = scores.logits.argmax(axis=2) == labels[: len(trainer.cell.validation_rows)]
    np.testing.assert_allclose(result.correct, right.mean(axis=0), rtol=1e-6)
    assert result.epochs == 0


def by_hand(trainer, settings, rows, images):
    """Probabilities of `images` by members fitted to `rows`, of features that are averaged over views."""
    heads, temperature = trainer.heads, trainer.heads.scores(settings).temperature
    views = [np.asarray(under(view, images)) for view in views_of(settings.test_views)]

    def logits(member):
        read = {"average": slice(0, 1), "maximum": slice(1, 2), "both": slice(0, 2)}[member.pooling]
        parts = []
        for block in member.blocks:
            pooled = np.mean([trainer.backbone.pooled(block, each) for each in views], axis=0)
            parts.append(pooled.reshape(len(images), 2, -1)[:, read].reshape(len(images), -1))
        return heads.fit(member, rows).logits(np.concatenate(parts, axis=1)) * heads.scores(member).temperature

    return softmax(mean_of(settings, logits) / temperature, axis=1)


def test_it_is_served_as_one_network(trainer):
    images = np.asarray(trainer.cell.packed.images)
    network = trainer.refit(ENSEMBLE, 0, 3)
    soften(network, trainer.heads.scores(ENSEMBLE).temperature)
    expected = by_hand(trainer, ENSEMBLE, trainer.cell.all_rows, images)
    np.testing.assert_allclose(network.predict(images, verbose=0), expected, atol=1e-3)
    assert np.ptp(expected[:, 0]) > 0.1


def test_thawed_blocks_start_under_it(make_trainer):
    trainer = make_trainer(folds_up_to=0)
    ((training, validation),) = trainer.cell.folds
    settings = point(blocks=(1, 3, 5), members=MEMBERS)
    suffix, inputs = trainer.setup.begin(settings, training, trainer.heads.fit(settings, training), 3)
    expected = by_hand(trainer, settings, training, trainer.cell.packed.images[validation])
    np.testing.assert_allclose(suffix.probabilities(inputs, validation, 2), expected, atol=1e-3)
