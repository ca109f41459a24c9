"""What is said where Ray cannot start. What it does once started stands in `end_to_end/`."""

import os

import pytest

from workers import ray_environment, ray_pool
from workers.errors import PoolError


def test_what_ray_refuses_is_a_sentence_and_leaves_no_folder(sound_spec, monkeypatch, tmp_path):
    def refuse(**_options):
        raise ConnectionError("first line\nno room for a raylet")

    monkeypatch.setattr(ray_pool.ray, "init", refuse)
    monkeypatch.setattr(ray_environment.tempfile, "tempdir", str(tmp_path)[:30])
    monkeypatch.setattr(
        ray_environment.tempfile, "mkdtemp", lambda **_where: _made(tmp_path / "ray")
    )
    monkeypatch.setattr(ray_environment, "TEMPORARY_PATH_MAX", 1000)
    with pytest.raises(
        PoolError, match=r"^Ray cannot start: no room for a raylet\n    use --worker"
    ):
        ray_pool.RayPool(sound_spec, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_without_a_temporary_folder_there_is_no_pool(sound_spec, monkeypatch):
    def refuse(**_where):
        raise PermissionError("not here")

    monkeypatch.setattr(ray_environment.tempfile, "mkdtemp", refuse)
    with pytest.raises(PoolError, match="no folder for temporary files: not here"):
        ray_pool.RayPool(sound_spec, workers=1)


def test_nothing_of_ray_is_left_to_the_machine_or_to_an_earlier_session():
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def _made(path):
    path.mkdir()
    return str(path)
