"""Decoders for compressed DICOM pixels, where pydicom's own choice would not do.

- OpenJPEG decodes every kind of JPEG 2000. pydicom reaches High-Throughput JPEG 2000 through the ``pylibjpeg``
  package only, which adds nothing to it.
- Pillow decodes 8-bit JPEG.
- GDCM decodes lossless JPEG, JPEG-LS and 12-bit JPEG; pydicom leaves the last to a GPL-licensed package. GDCM ends
  the process where a codestream holds less than the header promises, so the two are compared first.

The functions here are plugins in the form pydicom asks for, with ``is_available`` and ``DECODER_DEPENDENCIES``.
"""

import struct
from typing import cast

import gdcm  # type: ignore[import-untyped]
import openjpeg.utils
from pydicom import uid
from pydicom.pixels.decoders import gdcm as pydicom_gdcm
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

PLUGIN = "softcam"

_OPENJPEG = (uid.JPEG2000, uid.JPEG2000Lossless, uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL)
_GDCM = (uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless)

DECODER_DEPENDENCIES: dict[uid.UID, tuple[str, ...]] = {
    **dict.fromkeys(_OPENJPEG, ("pylibjpeg-openjpeg>=2.4",)),
    **dict.fromkeys(_GDCM, ("python-gdcm>=3.0.25",)),
}


def is_available(uid: str) -> bool:
    """Tell pydicom whether this module decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def register() -> None:
    """Make the plugins known to pydicom, once."""
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        if PLUGIN not in decoder.available_plugins:
            function = "decode_with_openjpeg" if syntax in _OPENJPEG else "decode_with_gdcm"
            decoder.add_plugin(PLUGIN, (__name__, function))


def plugin_for(syntax: uid.UID, bits_stored: int) -> str:
    """Name of the pydicom plugin to use, "" where pydicom itself decodes."""
    if syntax == uid.JPEGBaseline8Bit or (syntax == uid.JPEGExtended12Bit and bits_stored <= 8):
        return "pillow"
    return PLUGIN if syntax in DECODER_DEPENDENCIES else ""


def decode_with_openjpeg(encoded: bytes, runner: DecodeRunner) -> bytearray:
    """Decode one JPEG 2000 frame to little-endian samples, colour by pixel."""
    frame = cast(bytearray, openjpeg.utils.decode_pixel_data(encoded, version=2, **runner.options))
    # OpenJPEG undoes the codestream's colour transform, and sizes its samples by the codestream's precision.
    if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", "RGB")
    precision = runner.get_option("j2k_precision", runner.bits_stored)
    runner.set_option("bits_allocated", 8 if precision <= 8 else 16 if precision <= 16 else 32)
    return frame


def decode_with_gdcm(encoded: bytes, runner: DecodeRunner) -> bytes:
    """Decode one JPEG or JPEG-LS frame to little-endian samples.

    Raises
    ------
    ValueError
        If the codestream is damaged, or not of the size the header states.
    """
    precision, *size = _codestream_layout(encoded)
    stated = [runner.rows, runner.columns, runner.samples_per_pixel]
    allocated = runner.bits_allocated
    if size != stated or allocated not in (8, 16) or not 2 <= precision <= allocated:
        raise ValueError(f"header and codestream disagree: {stated} in {allocated} bits, {size} of {precision} bits")
    if runner.transfer_syntax == uid.JPEGExtended12Bit:
        return _decode_12_bit(encoded, runner)
    return pydicom_gdcm._decode_frame(encoded, runner)


def _codestream_layout(encoded: bytes) -> tuple[int, int, int, int]:
    """Precision, rows, columns and components, from the frame header of a JPEG or JPEG-LS codestream."""
    position = 2  # after "start of image"
    while position + 10 <= len(encoded):
        if encoded[position] != 0xFF:
            break
        marker, length = encoded[position + 1], int.from_bytes(encoded[position + 2 : position + 4])
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return cast("tuple[int, int, int, int]", struct.unpack_from(">BHHB", encoded, position + 4))
        else:
            position += 2 + length
    raise ValueError("its codestream has no frame header")


def _decode_12_bit(encoded: bytes, runner: DecodeRunner) -> bytes:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())

    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    photometric = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(photometric))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(runner.transfer_syntax))))
    image.SetPixelFormat(gdcm.PixelFormat(runner.samples_per_pixel, 16, 12, 11, 0))
    image.SetDataElement(element)
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM could not decode its codestream")
    # GDCM's wrapper gives bytes as text, with those above 127 as surrogates.
    return cast(bytes, decoded.encode("utf-8", "surrogateescape"))
