"""What all tests share."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM


def pytest_unconfigure() -> None:
    """Pytest: nothing has to stay any more."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def collected_on_the_ui_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of windows leave no Qt objects to be destroyed on another thread; see `softcam_viewer.jobs.garbage`."""
    if "qapp" not in request.fixturenames:
        yield
        return
    if not gc.get_freeze_count():
        gc.freeze()  # or each collection would look through all of torch
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images beside the repository; tests that need it skip where it is missing."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real images in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def signed_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-class model with signed evidence that follows brightness."""
    torch.manual_seed(3)
    card = ModelCard(
        name="Test network",
        architecture="compact",
        class_names=("no finding", "opacity"),
        preprocessing=Preprocessing(shorter_side=64),
    )
    path = tmp_path_factory.mktemp("model") / "test.safetensors"
    save_model(SoftCAM.from_card(card), path)
    return path
