import contextlib
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from softcam_core.errors import ImageReadError
from softcam_core.imaging.readers import read_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 14), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
DEEP_GREY = RNG.integers(0, 65536, (9, 14), dtype=np.uint16)
DEEP_COLOR = RNG.integers(0, 65536, (9, 14, 3), dtype=np.uint16)
ALPHA = RNG.integers(0, 256, (9, 14, 1), dtype=np.uint8)


def _save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def _save_deep(path, array):
    """Write 16-bit colours, given as RGB or RGBA."""
    order = [2, 1, 0, 3][: array.shape[2]]
    path.write_bytes(cv2.imencode(path.suffix, array[..., order])[1].tobytes())
    return path


def _png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width, height, depth=8, color_type=0, data=b"", *chunks):
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    parts = [_png_chunk(b"IHDR", header), *chunks, _png_chunk(b"IDAT", zlib.compress(data)), _png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _tiff(pixels, orientation):
    """Uncompressed little-endian TIFF of 16-bit colours, (H, W, 3), with an orientation tag."""
    height, width, _ = pixels.shape
    entries = 10
    bits_at = 8 + 2 + 12 * entries + 4
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, bits_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, bits_at + 8),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, pixels.nbytes),
    ]
    directory = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    bits = struct.pack("<4H", 16, 16, 16, 0)
    return b"II*\0" + struct.pack("<I", 8) + directory + bits + pixels.astype("<u2").tobytes()


def _upright(stored, orientation):
    """Brute force from the table in TIFF 6.0: which side of the picture row 0 and column 0 of the file are."""
    row_is, column_is = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    rows, columns = stored.shape[:2]
    swapped = row_is in ("left", "right")
    upright = np.empty((columns, rows, *stored.shape[2:]) if swapped else stored.shape, stored.dtype)
    height, width = upright.shape[:2]
    for row in range(rows):
        for column in range(columns):
            side = {row_is: row, column_is: column}
            y = side["top"] if "top" in side else height - 1 - side["bottom"]
            x = side["left"] if "left" in side else width - 1 - side["right"]
            upright[y, x] = stored[row, column]
    return upright


def _refusal(path, frame=0):
    with pytest.raises(ImageReadError) as caught:
        read_image(path, frame)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_8_bit_grey_is_kept_and_shown_from_0_to_255(tmp_path, suffix):
    image = read_image(_save(tmp_path / f"a{suffix}", GREY))
    np.testing.assert_array_equal(image.pixels, GREY)
    assert image.values.dtype == np.float32
    assert image.window.limits == (0, 255)
    np.testing.assert_allclose(image.display(), GREY / 255, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_8_bit_color_is_kept(tmp_path, suffix):
    image = read_image(_save(tmp_path / f"a{suffix}", COLOR))
    np.testing.assert_array_equal(image.pixels, COLOR)
    np.testing.assert_array_equal(image.values, COLOR)
    assert image.window.limits == (0, 255)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_keeps_its_depth_and_is_shown_by_percentiles(tmp_path, suffix):
    image = read_image(_save(tmp_path / f"a{suffix}", DEEP_GREY))
    np.testing.assert_array_equal(image.pixels, DEEP_GREY)
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.values, DEEP_GREY)
    lower, upper = image.window.limits
    assert DEEP_GREY.min() <= lower < upper <= DEEP_GREY.max()


def test_big_endian_tiff_comes_in_native_order(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(DEEP_GREY.astype(">u2")).save(path)
    assert path.read_bytes()[:2] == b"MM"
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, DEEP_GREY)
    assert image.pixels.dtype == np.dtype("=u2")


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_color_keeps_its_depth_and_is_shown_in_8(tmp_path, suffix):
    image = read_image(_save_deep(tmp_path / f"a{suffix}", DEEP_COLOR))
    np.testing.assert_array_equal(image.pixels, DEEP_COLOR)
    assert image.values.dtype == np.uint8
    np.testing.assert_array_equal(image.values, DEEP_COLOR // 256)


def test_float_tiff_keeps_its_values(tmp_path):
    values = RNG.normal(size=(9, 14)).astype(np.float32)
    image = read_image(_save(tmp_path / "a.tif", values))
    np.testing.assert_array_equal(image.values, values)
    assert image.window.width < 10


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, bad):
    values = np.zeros((10, 200), np.float32)
    values[2, 3:6] = bad
    assert "3 of its 2,000 pixel values are not finite" in _refusal(_save(tmp_path / "a.tif", values))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_1_bit_is_black_and_white(tmp_path, suffix):
    image = read_image(_save(tmp_path / f"a{suffix}", (GREY > 127).astype(np.uint8) * 255, "1"))
    np.testing.assert_array_equal(image.pixels, np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_palette_is_looked_up(tmp_path, suffix):
    palette = Image.fromarray(GREY).convert("P")
    colors = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    palette.putpalette(colors.tobytes())
    palette.save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}").pixels, colors[GREY])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_transparent_color_is_laid_on_black(tmp_path, suffix):
    image = read_image(_save(tmp_path / f"a{suffix}", np.concatenate([COLOR, ALPHA], 2)))
    np.testing.assert_allclose(image.pixels, COLOR.astype(float) * ALPHA / 255, atol=0.51)


def test_transparent_grey_is_laid_on_black(tmp_path):
    image = read_image(_save(tmp_path / "a.png", np.concatenate([GREY[..., None], ALPHA], 2)))
    np.testing.assert_allclose(image.pixels, GREY.astype(float) * ALPHA[..., 0] / 255, atol=0.51)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_transparent_16_bit_color_is_laid_on_black(tmp_path, suffix):
    alpha = RNG.integers(0, 65536, (9, 14, 1), dtype=np.uint16)
    image = read_image(_save_deep(tmp_path / f"a{suffix}", np.concatenate([DEEP_COLOR, alpha], 2)))
    np.testing.assert_allclose(image.pixels, DEEP_COLOR.astype(float) * alpha / 65535, atol=0.51)


def test_transparent_16_bit_grey_is_laid_on_black(tmp_path):
    alpha = RNG.integers(0, 65536, (9, 14), dtype=np.uint16)
    rows = np.stack([DEEP_GREY, alpha], 2).astype(">u2").reshape(9, -1)
    (tmp_path / "a.png").write_bytes(_png(14, 9, 16, 4, b"".join(b"\0" + row.tobytes() for row in rows)))
    image = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(image.pixels, DEEP_GREY.astype(float) * alpha / 65535, atol=0.51)


@pytest.mark.parametrize("stored", [GREY, COLOR], ids=["grey", "color"])
def test_opaque_alpha_changes_nothing(tmp_path, stored):
    opaque = np.full((9, 14, 1), 255, np.uint8)
    samples = np.concatenate([stored.reshape(9, 14, -1), opaque], 2)
    np.testing.assert_array_equal(read_image(_save(tmp_path / "a.png", samples)).pixels, stored)


def test_transparent_key_color_of_a_png_is_black(tmp_path):
    key = _png_chunk(b"tRNS", struct.pack(">H", 7))
    (tmp_path / "a.png").write_bytes(_png(3, 1, 8, 0, b"\0\x05\x07\x09", key))
    assert read_image(tmp_path / "a.png").pixels.tolist() == [[5, 0, 9]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("stored", [GREY, COLOR], ids=["grey", "color"])
def test_exif_orientation_is_undone(tmp_path, suffix, stored, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = _save(tmp_path / f"a{suffix}", stored, exif=exif)
    expected = _upright(stored, orientation)
    np.testing.assert_array_equal(read_image(path).pixels, expected)
    with path.open("rb") as stream, Image.open(stream) as file:
        np.testing.assert_array_equal(ImageOps.exif_transpose(file), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_jpeg_is_undone(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = _save(tmp_path / "a.jpg", COLOR, exif=exif)
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(read_image(path).pixels, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_color_is_undone_once(tmp_path, orientation):
    (tmp_path / "a.tif").write_bytes(_tiff(DEEP_COLOR, orientation))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, _upright(DEEP_COLOR, orientation))
    exif = Image.Exif()
    exif[274] = orientation
    encoded = _save_deep(tmp_path / "a.png", DEEP_COLOR).read_bytes()
    chunk = _png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    (tmp_path / "a.png").write_bytes(encoded[:33] + chunk + encoded[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, _upright(DEEP_COLOR, orientation))


def test_unknown_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[274] = 11
    np.testing.assert_array_equal(read_image(_save(tmp_path / "a.png", GREY, exif=exif)).pixels, GREY)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_close_to_what_was_saved(tmp_path, mode):
    smooth = np.stack([np.add.outer(np.arange(32), np.arange(48)) * 2 + 20 * c for c in range(3)], 2).astype(np.uint8)
    stored = smooth[..., 0] if mode == "L" else smooth
    image = read_image(_save(tmp_path / "a.jpg", stored, mode, quality=98, subsampling=0))
    assert image.pixels.shape == stored.shape
    assert np.abs(image.pixels.astype(int) - stored).max() <= 6


def test_pages_of_a_tiff_are_frames(tmp_path):
    pages = [GREY, GREY[:5], GREY[::-1]]
    first, *rest = (Image.fromarray(page) for page in pages)
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest)
    for number, page in enumerate(pages):
        image = read_image(tmp_path / "a.tif", number)
        np.testing.assert_array_equal(image.pixels, page)
        assert (image.frame, image.frame_count) == (number, 3)
    assert "numbers 0 to 2" in _refusal(tmp_path / "a.tif", 3)


def test_pages_of_16_bit_color_are_frames(tmp_path):
    pages = [DEEP_COLOR, DEEP_COLOR[::-1]]
    (tmp_path / "a.tif").write_bytes(cv2.imencodemulti(".tif", [page[..., ::-1] for page in pages])[1].tobytes())
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif", number).pixels, page)


def test_print_resolution_is_no_physical_spacing(tmp_path):
    assert read_image(_save(tmp_path / "a.tif", GREY, dpi=(300, 300))).spacing is None
    assert read_image(_save(tmp_path / "a.png", GREY, dpi=(300, 300))).spacing is None


@pytest.mark.parametrize("side", [10_001, 12_000, 60_000])
def test_too_large_an_image_is_refused_by_its_header(tmp_path, side):
    (tmp_path / "a.png").write_bytes(_png(side, side))
    assert "more than 100,000,000 pixels" in _refusal(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_image_without_pixels_is_refused(tmp_path, size):
    (tmp_path / "a.png").write_bytes(_png(*size))
    _refusal(tmp_path / "a.png")


def test_unsupported_layout_is_refused(tmp_path):
    Image.new("LAB", (4, 3)).save(tmp_path / "a.tif")
    assert "LAB" in _refusal(tmp_path / "a.tif")


def _examples(folder):
    yield _save(folder / "grey.png", GREY)
    yield _save(folder / "color.jpg", COLOR)
    yield _save(folder / "packed.tif", GREY, compression="tiff_lzw")
    yield _save(folder / "plain.tif", COLOR)
    yield _save_deep(folder / "deep.png", DEEP_COLOR)
    yield _save_deep(folder / "deep.tiff", DEEP_COLOR)


def test_a_file_cut_short_is_refused(tmp_path):
    for path in _examples(tmp_path):
        content = path.read_bytes()
        for part in (0.2, 0.5, 0.8):
            path.write_bytes(content[: int(part * len(content))])
            _refusal(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_an_image_or_a_refusal_and_no_warning(tmp_path, data):
    path = data.draw(st.sampled_from(list(_examples(tmp_path))))
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(8, len(content) - 1), min_size=1, max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(ImageReadError):
        assert read_image(path).pixels.size > 0
