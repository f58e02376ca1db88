"""Pictures of many formats become squares of pixels, and bad ones faults, never an end."""

import base64
import gzip
import http.server
import io
import threading

import numpy as np
import pytest
from PIL import Image

from alsolike.data.pictures import opening
from alsolike.data.pictures.drawings import Drawer
from alsolike.data.pictures.opening import open_pixels
from alsolike.data.pictures.sources import Source, Unreadable

SVG = "<svg xmlns='http://www.w3.org/2000/svg' "
HALF_RED = SVG + "viewBox='0 0 10 10'><rect width='5' height='10' fill='red'/></svg>"


@pytest.fixture(scope="module")
def drawer():
    with Drawer(patience=10) as drawer:
        yield drawer


def half_red(mode="RGB"):
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste("red", (0, 0, 20, 20))
    return picture.convert(mode)


def stored(picture, kind, **more):
    content = io.BytesIO()
    picture.save(content, kind, **more)
    return content.getvalue()


def fault_of(cell, folder, drawer):
    with pytest.raises(Unreadable) as found:
        open_pixels(Source(cell, folder), 32, drawer)
    return found.value.fault


def is_half_red(pixels):
    left, right = pixels[:, 4:12].mean(axis=(0, 1)), pixels[:, 20:28].mean(axis=(0, 1))
    return left[0] > 240 and max(left[1:]) < 20 and min(right) > 240


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "P"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"),
     ("WEBP", "RGB"), ("BMP", "RGB"), ("TIFF", "RGB"), ("ICO", "RGB"), ("PPM", "RGB"),
     ("TGA", "RGB"), ("PNG", "RGBA")],
)  # fmt: skip
def test_common_formats_are_opened(kind, mode, tmp_path, drawer):
    (tmp_path / "a").write_bytes(stored(half_red(mode), kind))
    pixels, is_animated = open_pixels(Source("a", tmp_path), 32, drawer)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert is_half_red(pixels)
    assert not is_animated


def test_what_one_can_see_through_is_white_and_pictures_are_upright(tmp_path, drawer):
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    pixels, _ = open_pixels(Source("clear.png", tmp_path), 32, drawer)
    assert pixels.min() == 255
    lying = half_red().rotate(90, expand=True)
    lying.save(tmp_path / "lying.jpg", exif=_turned(6))
    pixels, _ = open_pixels(Source("lying.jpg", tmp_path), 32, drawer)
    assert is_half_red(pixels)


def _turned(how):
    exif = Image.Exif()
    exif[274] = how
    return exif


def test_pictures_of_many_bits_keep_their_range(tmp_path, drawer):
    steps = np.linspace(0, 1, 64).reshape(1, -1).repeat(64, axis=0)
    found = []
    for kind, top in ((np.uint8, 255), (np.uint16, 65535), (np.int32, 65535), (np.float32, 1)):
        Image.fromarray((steps * top).astype(kind)).save(tmp_path / "a.tiff")
        found.append(open_pixels(Source("a.tiff", tmp_path), 32, drawer)[0])
    for one in found[1:]:
        assert np.abs(one.astype(int) - found[0]).max() <= 2


def test_the_first_frame_of_several_is_taken(tmp_path, drawer):
    half_red().save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (40, 20))])
    pixels, is_animated = open_pixels(Source("a.gif", tmp_path), 32, drawer)
    assert is_half_red(pixels)
    assert is_animated


def test_cells_may_hold_the_picture_itself(tmp_path, drawer):
    packed = base64.b64encode(stored(half_red(), "PNG")).decode()
    for cell in (
        f"data:image/png;base64,{packed}",
        HALF_RED,
        "data:image/svg+xml," + HALF_RED.replace("<", "%3C").replace("#", "%23"),
        "data:image/svg+xml;base64," + base64.b64encode(HALF_RED.encode()).decode(),
    ):
        assert is_half_red(open_pixels(Source(cell, tmp_path), 32, drawer)[0])
    (tmp_path / "a.svgz").write_bytes(gzip.compress(HALF_RED.encode()))
    (tmp_path / "b.svg").write_bytes(b"\xff\xfe" + HALF_RED.encode("utf-16-le"))
    for name in ("a.svgz", "b.svg", (tmp_path / "b.svg").as_uri()):
        assert is_half_red(open_pixels(Source(name, tmp_path), 32, drawer)[0])


def test_each_fault_has_its_name(tmp_path, drawer, monkeypatch):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3)).astype(np.uint8))
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        content = stored(noise, kind)
        (tmp_path / f"cut.{kind}").write_bytes(content[: len(content) // 2])
        assert fault_of(f"cut.{kind}", tmp_path, drawer) in ("cut off", "damaged, or no picture")
    assert fault_of("cut.PNG", tmp_path, drawer) == "cut off"
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("text.png", "a.eps", "empty.png", "data:image/png;base64,?"):
        assert fault_of(name, tmp_path, drawer) == "damaged, or no picture"
    for name in ("none.png", ".", "a\0b", "x" * 5000):
        assert fault_of(name, tmp_path, drawer) == "missing files"
    assert fault_of("https://example.org/a.png", tmp_path, drawer).startswith("addresses")
    assert fault_of("  ", tmp_path, drawer) == "no picture"
    Image.new("1", (14_000, 14_000)).save(tmp_path / "bomb.png")  # 24 kB, 196 million pixels
    assert fault_of("bomb.png", tmp_path, drawer) == "too large"
    monkeypatch.setattr(opening, "MOST_PIXELS", 99 * 98)
    noise.save(tmp_path / "whole.png")
    assert fault_of("whole.png", tmp_path, drawer) == "too large"


MANY = "".join(f"<g id='a{n + 1}'>" + f"<use href='#a{n}'/>" * 10 + "</g>" for n in range(9))


@pytest.mark.parametrize(
    "svg",
    [
        "<svg", SVG + "/", SVG + "viewBox='0 0 1 1'><b></svg>",
        "<!DOCTYPE svg [<!ENTITY a '<g/>'>]>" + HALF_RED,
        SVG + f"viewBox='0 0 10 10'><rect id='a0' width='5' height='9'/>{MANY}</svg>",
    ],
)  # fmt: skip
def test_drawings_that_cannot_be_drawn_are_faults(svg, tmp_path, drawer):
    assert fault_of(svg, tmp_path, drawer) == "drawings that cannot be drawn"
    assert is_half_red(open_pixels(Source(HALF_RED, tmp_path), 32, drawer)[0])


def test_a_drawing_of_any_size_has_ours(tmp_path, drawer):
    for sizes in ("width='1e9' height='1e9'", "width='100%' height='0'", "width='9mm'"):
        cell = f"{SVG}{sizes} viewBox='0 0 10 10'><rect width='5' height='10' fill='red'/></svg>"
        assert is_half_red(open_pixels(Source(cell, tmp_path), 32, drawer)[0])


def test_drawings_fetch_nothing(tmp_path, drawer):
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/a.png"
    half_red().save(tmp_path / "own.png")
    links = "".join(
        f"<image {name}='{target}' width='100' height='100'/>"
        for name in ("href", "xlink:href", "x:href")
        for target in (address, (tmp_path / "own.png").as_uri(), str(tmp_path / "own.png"))
    )
    spaces = "xmlns:xlink='http://www.w3.org/1999/xlink' xmlns:x='http://www.w3.org/1999/xlink' "
    try:
        cell = (
            f"{SVG}{spaces}viewBox='0 0 100 100'><style>@import '{address}';</style>{links}</svg>"
        )
        pixels, _ = open_pixels(Source(cell, tmp_path), 32, drawer)
    finally:
        server.shutdown()
        server.server_close()
    assert not asked
    assert pixels.min() == 255
