import numpy as np
import pytest

import softcam_core as sc
from softcam_core.errors import SettingsError
from softcam_core.export.arrays import save_explanation
from softcam_core.notice import NOTICE


@pytest.fixture
def explanation(compact_model, grey_image):
    return sc.explain(compact_model, grey_image(np.random.default_rng(0).random((60, 48))))


def test_an_archive_holds_the_map_the_offset_and_the_notice(explanation, tmp_path) -> None:
    save_explanation(tmp_path / "a.npz", explanation)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["grid"], explanation.grid)
        np.testing.assert_array_equal(found["offset"], explanation.offset)
        np.testing.assert_allclose(found["grid"].mean((1, 2)), found["logits"], atol=1e-6)
        assert found["offset"].any()
        assert found["class_names"].tolist() == ["plain", "spot"]
        assert str(found["notice"]) == NOTICE
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_folder_that_is_not_there_is_named(explanation, tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"none.a\.npz: cannot be written"):
        save_explanation(tmp_path / "none" / "a.npz", explanation)
