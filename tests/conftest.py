"""What all tests share."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM

pytest_plugins = ["leaks"]

# How long an example takes tells of the machine, which may be busy.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


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
