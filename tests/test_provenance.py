"""What decides a result: each part is changed, one after the other, and just what depends on it becomes another."""

import copy
import re
import shutil
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import grimp
import numpy as np
import pytest

import frostline
from frostline import provenance
from frostline.backbones.weights import WeightsRecord
from frostline.cache.folder import CacheFolder
from frostline.cache.group import Group
from frostline.cache.prefix import PrefixCache
from frostline.config.effort import EFFORTS
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.provenance import Activations, Identity, Networks, Pictures, Study, Trainings, Version, versions
from frostline.search.plan import _identity
from frostline.search.schedule import Schedule
from frostline.training.cell import make_cell
from frostline.training.memo import Memo
from frostline.training.setup import Setup

ROOT = Path(__file__).parents[1]
PACKAGE = Path(frostline.__file__).parent
CONSUMERS = (Pictures, Networks, Activations, Trainings, Study, Version)

# Reached from where a consumer's numbers are made, but without a say in them.
EXCUSED = {
    "frostline": "the release",
    "frostline.errors": "messages",
    "frostline.text": "messages",
    "frostline.provenance": "names results",
    "frostline.config": "checks values, which are parts",
    "frostline.files": "writes bytes as they are",
    "frostline.stores": "finds folders and databases",
    "frostline.tracking": "writes runs down",
    "frostline.plots": "draws what was found",
    "frostline.records": "holds what was found",
    "frostline.compute": "hands on what trainings gave, here or on other machines",
    "frostline.runtime.ending": "exit codes",
    "frostline.runtime.debugging": "messages",
    "frostline.runtime.logs": "messages",
    "frostline.runtime.memory": "tells an error",
    "frostline.runtime.progress": "messages",
    "frostline.runtime.project": "finds folders",
    "frostline.data": "images, folds and groups say what it made, and views are covered",
}
ENTRIES = {
    Activations: ("frostline.cache.prefix", {}),
    Trainings: (
        "frostline.training.trial",
        {
            "frostline.statistics.standard_error": "judges what is replayed",
            "frostline.statistics.familiar": "describes networks once they are trained",
        },
    ),
    Study: ("frostline.search.driver", {}),
}


def given(consumer: type[Identity]) -> dict[str, str]:
    return {part.name: part.name for part in fields(consumer)}


def parts(consumer: type[Identity]) -> set[str]:
    return set(consumer(**given(consumer)).facts)


def lies_in(module: str, places) -> bool:
    return any(module == place or (place != "frostline" and module.startswith(f"{place}.")) for place in places)


@pytest.mark.parametrize("consumer", ENTRIES)
def test_code_covers_every_module_that_can_change_a_number(consumer):
    entry, excused = ENTRIES[consumer]
    named = {"frostline." + name.removesuffix(".py").replace("/", ".") for name in consumer.code}
    reached = grimp.build_graph("frostline", exclude_type_checking_imports=True).find_upstream_modules(entry) | {entry}
    missed = {module for module in reached if not lies_in(module, named) and not lies_in(module, EXCUSED | excused)}
    assert not missed
    assert all((PACKAGE / name).exists() for name in consumer.code)


def test_the_table_in_the_docs_is_the_code():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.partition("## What decides a result")[2].partition("\n## ")[0]
    heads, _, *rows = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    names = [each.strip() for each in heads.split("|")][1:]
    assert names == [consumer.__name__.lower() for consumer in CONSUMERS]
    ticks = {name: set() for name in names}
    for row in rows:
        part, *cells = (each.strip() for each in row.split("|"))
        for name, cell in zip(names, cells, strict=True):
            if cell:
                ticks[name].add(re.match(r"`(\w+)`", part)[1])
    assert ticks == {consumer.__name__.lower(): parts(consumer) for consumer in CONSUMERS}


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_every_part_must_be_given_and_makes_another_fingerprint(consumer):
    all_parts = given(consumer)
    prints = {consumer(**all_parts | {name: "other"}).fingerprint for name in all_parts}
    assert len(prints | {consumer(**all_parts).fingerprint}) == len(all_parts) + 1
    with pytest.raises(TypeError, match="part_of_another"):
        consumer(**all_parts, part_of_another=1)
    with pytest.raises(TypeError, match="missing"):
        consumer()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`install(distribution, version)`: what pip would leave of another version, before the installed one."""

    def put(name: str, number: str) -> None:
        folder = tmp_path / "site" / f"{name.replace('-', '_')}-{number}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return put


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """`edit(module)`: add a line to a module of a copy of frostline, whose source counts."""
    copied = tmp_path / "frostline"

    def add(name: str) -> None:
        shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
        with (copied / name).open("a") as file:
            file.write("# another line\n")
        monkeypatch.setattr(provenance, "_PACKAGE", copied)
        provenance._source.cache_clear()

    yield add
    provenance._source.cache_clear()


@pytest.fixture(scope="module")
def setup(packed_cells, tmp_path_factory):
    """A cell of 24 images, with a network of random weights."""
    config = load_config(ROOT / "params.yaml")
    cell = make_cell(packed_cells(32), 12, config.train, seed=20)
    cache = PrefixCache(tmp_path_factory.mktemp("cache"), 10**9)
    return Setup(cell, "vgg16", BackboneConfig(image_size=32, weights=None), config.train, cache, seed=20)


@pytest.fixture
def world(setup, tmp_path, monkeypatch):
    """What the real consumers are made of, to be changed; `names()` says how they would find their results now."""
    config = load_config(ROOT / "params.yaml")
    mine = copy.copy(setup)
    mine.backbone = copy.copy(setup.backbone)
    mine.backbone.precision = mine.precision
    world = SimpleNamespace(setup=mine, view="identity", config=config, cut=None)

    def names() -> dict[type[Identity], str]:
        cell, backbone = mine.cell, mine.backbone
        return {
            Activations: Group(tmp_path / "groups", backbone, cell.packed, world.view).path("map-1").parent.name,
            Trainings: Memo(mine, CacheFolder(tmp_path), 10**9)._place.name,
            Study: _identity(
                world.config,
                SimpleNamespace(cell=cell, backbone=backbone, setup=mine),
                Schedule(world.config.search, 5, world.cut),
            ),
        }

    def update(section: str, **changes) -> None:
        whole = getattr(world.config, section).model_copy(update=changes)
        world.config = world.config.model_copy(update={section: whole})
        mine.train = world.config.train

    def repack(**changes) -> None:
        mine.cell = replace(mine.cell, packed=replace(mine.cell.packed, **changes))

    world.names, world.update, world.repack = names, update, repack
    world.devices = lambda *found: [
        monkeypatch.setattr(f"frostline.{place}.accelerators", lambda: found)
        for place in ("cache.group", "training.memo")
    ]
    return world


def _other_groups(world) -> None:
    index = world.setup.cell.packed.index
    world.repack(index=index.assign(group=[*index["group"][:1], *index["group"][:-1]]))


def _other_backbone(world) -> None:
    world.setup.backbone.spec = replace(world.setup.backbone.spec, application="VGG19")


def _other_image_size(world) -> None:
    world.setup.backbone.image_size = 48
    world.repack(image_size=48)


def _other_precision(world) -> None:
    world.setup.precision = world.setup.backbone.precision = "mixed_float16"


CHANGES = {
    "images": lambda world: world.repack(fingerprint="other"),
    "view": lambda world: setattr(world, "view", "mirror"),
    "folds": lambda world: setattr(
        world.setup, "cell", replace(world.setup.cell, repeats=world.setup.cell.repeats[:1])
    ),
    "groups": _other_groups,
    "backbone": _other_backbone,
    "image_size": _other_image_size,
    "weights": lambda world: setattr(world.setup.backbone, "weights", WeightsRecord("a file", "other")),
    "precision": _other_precision,
    "devices": lambda world: world.devices("gpu:0"),
    "training": lambda world: world.update("train", batch_size=3),
    "search": lambda world: world.update("search", dropout=(0.0, 0.1)),
    "seed": lambda world: setattr(world, "config", world.config.model_copy(update={"seed": 1})),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_changed_part_renames_just_the_results_that_depend_on_it(world, part):
    before = world.names()
    CHANGES[part](world)
    after = world.names()
    assert {each for each in after if after[each] != before[each]} == {each for each in after if part in parts(each)}


def test_what_changes_no_number_renames_nothing(world):
    before = world.names()
    world.update("train", resident_gigabytes=0.0)
    world.update("stores", cache_gigabytes=1.0)
    assert world.names() == before


@pytest.mark.parametrize("change", ["effort", "cut", "accelerator"])
def test_a_study_that_tries_something_else_is_another(world, monkeypatch, change):
    before = world.names()
    if change == "effort":
        world.update("search", effort=EFFORTS["thorough"])
    elif change == "cut":
        world.cut = 2
    else:
        monkeypatch.setattr("frostline.search.schedule.accelerators", lambda: ("gpu:0",))
    after = world.names()
    assert {each for each in after if after[each] != before[each]} == {Study}


@pytest.mark.parametrize(
    ("module", "renamed"),
    [
        ("backbones/surgery.py", {Activations, Trainings, Study}),
        ("cache/prefix.py", {Activations, Trainings, Study}),
        ("runtime/precision.py", {Trainings, Study}),
        ("training/fit.py", {Trainings, Study}),
        ("statistics/temperature.py", {Trainings, Study}),
        ("search/space.py", {Study}),
        ("statistics/standard_error.py", {Study}),
        ("report/page.py", set()),
        ("runtime/progress.py", set()),
    ],
)
def test_changed_code_renames_just_what_it_decides(world, edit, module, renamed):
    before = world.names()
    edit(module)
    after = world.names()
    assert {each for each in after if after[each] != before[each]} == renamed


@pytest.mark.parametrize(
    ("distribution", "renamed"),
    [
        ("keras", {Networks, Activations, Trainings, Study}),
        ("tensorflow", {Networks, Activations, Trainings, Study}),
        ("numpy", {Pictures, Networks, Activations, Trainings, Study}),
        ("optuna", {Networks, Study}),
        ("scikit-learn", {Networks, Study}),
        ("scipy", {Pictures, Networks, Trainings, Study}),
        ("pillow", {Pictures}),
        ("mlflow", set()),
    ],
)
def test_a_changed_library_renames_just_what_it_decides(world, install, monkeypatch, distribution, renamed):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    stages = (Pictures(state="s", corrections="c"), Networks(weights="w"))

    def names():
        return world.names() | {type(stage): stage.fingerprint for stage in stages}

    before = names()
    install(distribution, "999")
    after = names()
    assert {each for each in after if after[each] != before[each]} == renamed


def test_the_backends_version_comes_with_keras(install, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    install("jax", "7.0")
    install("jaxlib", "7.1")
    found = versions(["keras", "numpy"])
    assert (found["jax"], found["jaxlib"], found["numpy"]) == ("7.0", "7.1", np.__version__)
    assert "tensorflow" not in found
    assert set(versions(["numpy"])) == {"numpy"}


def test_a_library_is_found_under_another_distributions_name(install, tmp_path, monkeypatch):
    install("tensorflow-other", "7.0")
    (tmp_path / "site/tensorflow_other-7.0.dist-info/top_level.txt").write_text("another_name\n")
    monkeypatch.setenv("KERAS_BACKEND", "another_name")
    assert versions(["keras"])["another_name"] == "tensorflow-other 7.0"
