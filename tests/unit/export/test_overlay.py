import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from softcam_core.errors import SettingsError
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.targets import Target
from softcam_core.export.colormaps import COLORMAPS
from softcam_core.export.overlay import render_overlay, save_picture
from softcam_core.export.panel import BACKGROUND, WARNING, Scale, wrap
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.image import Identity
from softcam_core.models.card import ModelCard

SIZE = (600, 512)


def explanation(
    grid: np.ndarray, size: tuple[int, int] = SIZE, crop: tuple[int, int] | None = None, **card
) -> Explanation:
    grid = np.asarray(grid, dtype=np.float32)
    logits = grid.mean((1, 2))
    fields = {"name": "m", "architecture": "compact", "class_names": [f"c{i}" for i in range(len(grid))]} | card
    return Explanation(
        about=SoftCAMEvidence.about,
        method="evidence",
        targets=tuple(Target(k) for k in range(len(grid))),
        scale="mean",
        unit="logit",
        card=ModelCard(**fields),
        logits=logits,
        probabilities=np.exp(logits) / np.exp(logits).sum(),
        grid=grid,
        geometry=Geometry.plan(size, None, crop),
        seconds=0.1,
        device="cpu",
    )


@pytest.fixture
def flat(grey_image):
    return grey_image(np.full(SIZE, 0.5))


@pytest.fixture
def halves() -> Explanation:
    """Evidence for class 1 on the left and against it on the right."""
    grid = np.zeros((2, 6, 8))
    grid[1, :, :2], grid[1, :, -2:] = 4.0, -2.0
    return explanation(grid)


def image_part(pixels: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The image without its margins, which are as wide as a line of text is high."""
    margin = int(np.flatnonzero((pixels[pixels.shape[0] // 2] != BACKGROUND).any(1))[0])
    top = (pixels.shape[0] - size[0]) // 2
    return pixels[top : top + size[0], margin : margin + size[1]]


def coloured(part: np.ndarray) -> np.ndarray:
    return np.ptp(part.astype(int), axis=2) > 6


def test_colours_lie_where_the_evidence_is(flat, halves: Explanation) -> None:
    part = image_part(render_overlay(flat, halves, 1, 0))
    mask = coloured(part)
    left, right = part[:, :64].reshape(-1, 3).mean(0), part[:, -64:].reshape(-1, 3).mean(0)
    assert left[0] > left[2] + 20  # orange: for
    assert right[2] > right[0] + 20  # blue: against
    assert not mask[:, 224:288].any()
    assert (part[:, 224:288] == 128).all()


def test_values_below_the_threshold_are_not_drawn(flat, halves: Explanation) -> None:
    shown = halves.on_image(1, 0)
    for threshold in (0.5, 1.0, 2.5, 3.9):
        mask = coloured(image_part(render_overlay(flat, halves, 1, 0, threshold=threshold)))
        assert np.mean(mask == (np.abs(shown) >= threshold)) > 0.999
    default = coloured(image_part(render_overlay(flat, halves, 1, 0)))
    np.testing.assert_array_equal(default, coloured(image_part(render_overlay(flat, halves, 1, 0, threshold=0.8))))
    assert not coloured(image_part(render_overlay(flat, halves, 1, 0, threshold=99))).any()


@pytest.mark.parametrize(("sign", "left", "right"), [("both", 1, 1), ("positive", 1, 0), ("negative", 0, 1)])
def test_sign(flat, halves: Explanation, sign, left: bool, right: bool) -> None:
    mask = coloured(image_part(render_overlay(flat, halves, 1, 0, sign=sign)))
    assert mask[:, :64].all() == left
    assert mask[:, -64:].all() == right


def test_opacity_blends(flat, halves: Explanation) -> None:
    clear, half, full = (image_part(render_overlay(flat, halves, 1, 0, opacity=o))[300, 5] for o in (0.0, 0.5, 1.0))
    assert tuple(clear) == (128, 128, 128)
    assert tuple(full) == tuple(COLORMAPS["blue-orange"].table()[-1])
    np.testing.assert_allclose(half, (clear.astype(float) + full) / 2, atol=1)


def test_all_negative_map_is_shown(flat) -> None:
    part = image_part(render_overlay(flat, explanation(np.stack([np.zeros((4, 4)), np.full((4, 4), -1.0)])), 1))
    assert coloured(part).all()
    assert (part[..., 2] > part[..., 0]).all()


def test_map_of_zeros_is_drawn_as_no_evidence(flat) -> None:
    part = image_part(render_overlay(flat, explanation(np.zeros((2, 4, 4))), 0, 1))
    assert not coloured(part).any()


def test_non_negative_map_gets_a_sequential_scale(flat) -> None:
    grid = np.stack([np.full((4, 4), 1.0), np.zeros((4, 4))])
    pixel = image_part(render_overlay(flat, explanation(grid), 0, opacity=1.0))[300, 300]
    assert tuple(pixel) == tuple(COLORMAPS["violet-gold"].table()[-1])
    chosen = image_part(render_overlay(flat, explanation(grid), 0, opacity=1.0, colormap="teal-magenta"))[300, 300]
    assert tuple(chosen) == tuple(COLORMAPS["teal-magenta"].table()[-1])


def test_nothing_outside_the_analysed_area_which_is_outlined(flat) -> None:
    crop = (200, 256)
    part = image_part(render_overlay(flat, explanation(np.stack([np.ones((4, 4)), -np.ones((4, 4))]), crop=crop), 0, 1))
    changed = (part != 128).any(2)
    box = np.zeros(SIZE, dtype=bool)
    box[200:400, 128:384] = True
    np.testing.assert_array_equal(changed, box)
    assert tuple(part[200, 200]) == (147, 160, 180)
    assert tuple(part[300, 200]) != (147, 160, 180)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((600, 512), (600, 512)), ((30, 20), (512, 341)), ((3000, 1500), (2048, 1024)), ((2, 4000), (1, 2048))],
)
def test_displayed_size(grey_image, size, shown) -> None:
    drawn = render_overlay(grey_image(np.full(size, 0.5)), explanation(np.full((2, 2, 2), 3.0), size), 0, opacity=1.0)
    mask = (drawn == COLORMAPS["violet-gold"].table()[-1]).all(2)
    # The top of the colour bar has this colour too, but no picture ends above it.
    columns = np.flatnonzero(mask[np.flatnonzero(mask.any(1))[-1]])
    assert len(columns) == shown[1]
    assert mask[:, columns[5]].sum() == shown[0]


def test_colour_images(grey_image, halves: Explanation) -> None:
    rgb = np.zeros((*SIZE, 3), dtype=np.uint8)
    rgb[..., 1] = 200
    window = grey_image(np.zeros((1, 1))).window.from_limits(0, 255)
    image = dataclasses.replace(grey_image(np.zeros(SIZE)), pixels=rgb, values=rgb, presentation=rgb, window=window)
    assert tuple(image_part(render_overlay(image, halves, 1, 0))[300, 256]) == (0, 200, 0)


def test_notice_is_in_every_picture(flat, halves: Explanation) -> None:
    pixels = render_overlay(flat, halves, 1, 0)
    line = np.abs(pixels[-32:, SIZE[1] + 20 :].astype(int) - BACKGROUND).sum(2) > 60
    assert line.any(0).mean() > 0.6
    brightest = pixels[-32:, SIZE[1] + 20 :].reshape(-1, 3).max(0)
    np.testing.assert_allclose(brightest, WARNING, atol=4)


def test_long_names_stay_within_the_picture(flat) -> None:
    names = ["no finding in " + "either lung, " * 30, "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4]
    grid = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    pixels = render_overlay(flat, explanation(grid, class_names=names, name="n" * 200), 1, 0)
    assert (pixels[:, -3:] == BACKGROUND).all()
    plain = render_overlay(flat, explanation(grid), 1, 0)
    assert pixels.shape == plain.shape


def test_picture_says_nothing_about_the_patient(flat, halves: Explanation, tmp_path: Path) -> None:
    named = dataclasses.replace(
        flat, source=Path("DOE^JANE.dcm"), identity=Identity(patient_name="DOE^JANE", patient_id="12345")
    )
    np.testing.assert_array_equal(render_overlay(flat, halves, 1), render_overlay(named, halves, 1))
    save_picture(tmp_path / "o.png", render_overlay(named, halves, 1))
    content = (tmp_path / "o.png").read_bytes()
    assert b"DOE" not in content
    assert b"12345" not in content


def test_saved_picture_is_the_rendered_one(flat, halves: Explanation, tmp_path: Path) -> None:
    save_picture(
        tmp_path / "o.png", render_overlay(flat, halves, "c1", "c0", threshold=1.0, opacity=0.3, sign="positive")
    )
    expected = render_overlay(flat, halves, 1, 0, threshold=1.0, opacity=0.3, sign="positive")
    with Image.open(tmp_path / "o.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), expected)
    assert [p.name for p in tmp_path.iterdir()] == ["o.png"]
    with pytest.raises(SettingsError, match="cannot be written"):
        save_picture(tmp_path / "none" / "o.png", render_overlay(flat, halves, 1))


@pytest.mark.parametrize("options", [{"threshold": -1}, {"threshold": np.nan}, {"opacity": 1.5}, {"colormap": "jet"}])
def test_options_that_make_no_sense(flat, halves: Explanation, options) -> None:
    with pytest.raises(SettingsError):
        render_overlay(flat, halves, 1, **options)


def test_unknown_class_and_another_image(flat, grey_image, halves: Explanation) -> None:
    with pytest.raises(KeyError, match="c0, c1"):
        render_overlay(flat, halves, "c7")
    with pytest.raises(ValueError, match="600, 512"):
        render_overlay(grey_image(np.zeros((10, 10))), halves, 1)


def test_default_view() -> None:
    grid = np.zeros((3, 2, 2))
    grid[1] = 1
    assert explanation(grid[:2]).default_view() == (1, 0)
    assert explanation(grid).default_view() == (1, None)
    assert explanation(grid[:2], task="multi_label").default_view() == (1, None)


@pytest.mark.parametrize("upper", [1e-7, 0.013, 0.5, 1.0, 38.6, 12345.0])
@pytest.mark.parametrize("lower", [0.0, -1.0])
def test_ticks_are_round_include_zero_and_lie_on_the_bar(upper: float, lower: float) -> None:
    ticks, decimals = Scale(lower * upper, upper, 0.0, COLORMAPS["amber"]).ticks()
    assert 0.0 in ticks
    assert 3 <= len(ticks) <= 10
    assert lower * upper * 1.0001 <= ticks[0]
    assert ticks[-1] <= upper * 1.0001
    labels = [f"{tick:+.{decimals}f}" for tick in ticks]
    assert len(set(labels)) == len(labels)
    np.testing.assert_allclose([float(label) for label in labels], ticks, rtol=1e-6, atol=upper * 1e-6)


def test_wrap() -> None:
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert wrap("short", font, 200) == ["short"]
    assert wrap("", font, 200) == [""]
    for text in ("a few words that need more lines", "x" * 300, "word " * 100, "ä – …" * 50):
        lines = wrap(text, font, 120)
        assert len(lines) <= 3
        assert all(font.getlength(line) <= 120 for line in lines)
        assert "".join(lines).replace(" ", "").removesuffix("…") in text.replace(" ", "")
    assert wrap("word " * 100, font, 120)[-1].endswith("…")


def test_the_offset_is_not_drawn_and_is_told(flat) -> None:
    values = np.zeros((2, 4, 4), np.float32)
    values[1, :, 2:] = 3
    plain = explanation(values)
    offset = np.array([0, -2], np.float32)
    lowered = dataclasses.replace(explanation(values + offset[:, None, None]), offset=offset)
    pictures = [render_overlay(flat, each, 1) for each in (plain, lowered)]
    part = image_part(pictures[0])
    np.testing.assert_array_equal(part, image_part(pictures[1]))
    assert not np.array_equal(*pictures)  # the text tells the logit and the offset


def test_a_class_against_the_rest_is_drawn(flat, halves: Explanation) -> None:
    assert coloured(image_part(render_overlay(flat, halves, 1, "rest"))).any()
