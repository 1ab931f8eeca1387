import subprocess
from pathlib import Path

import pytest

from frostline.config.schema import CsvConfig, FolderConfig, KerasConfig
from frostline.data.sources import open_source
from frostline.runtime.project import in_project, project_folder


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project in a sub-folder of its repository, and as working folder DVC's copy of it."""
    copy = repository(repository(tmp_path / "repo") / ".dvc/tmp/exps/standalone/tmpabc")
    for place in (tmp_path / "repo/sub", copy / "sub"):
        place.mkdir()
    monkeypatch.chdir(copy / "sub")
    return tmp_path / "repo" / "sub"


def test_a_copy_that_dvc_makes_for_an_experiment_belongs_to_the_project_that_it_copies(project):
    assert project_folder() == project


def test_the_project_is_the_working_folder_otherwise(project, monkeypatch, tmp_path):
    for folder in (project, tmp_path, project.parent / ".dvc/tmp/exps"):
        monkeypatch.chdir(folder)
        assert project_folder() == folder


def test_data_that_neither_git_nor_dvc_carries_is_found_in_the_project(project):
    (project / "untracked").mkdir()
    for folder in (project, Path.cwd()):
        (folder / "tracked").mkdir()
    assert in_project(Path("untracked")) == project / "untracked"
    assert in_project(Path("tracked")) == Path("tracked")
    assert in_project(Path("nowhere")) == project / "nowhere"
    assert in_project(Path("/srv/data")) == Path("/srv/data")
    assert in_project(Path("~/data")) == Path.home() / "data"


def test_a_path_stays_as_it_is_given_in_the_project_itself(project, monkeypatch):
    monkeypatch.chdir(project)
    assert in_project(Path("nowhere")) == Path("nowhere")


def test_a_data_set_that_is_not_tracked_is_read_from_the_project(project):
    for label in ("cat", "dog"):
        (project / "pictures" / label).mkdir(parents=True)
        (project / "pictures" / label / "1.png").write_text("")
    (project / "table.csv").write_text("image,label\npictures/cat/1.png,cat\n")
    assert open_source(FolderConfig(source="folder", path=Path("pictures"))).root == project / "pictures"
    assert open_source(CsvConfig(source="csv", path=Path("table.csv"))).root == project
    assert open_source(KerasConfig(source="keras", name="mnist")).root == project / "data" / "raw" / "mnist"
