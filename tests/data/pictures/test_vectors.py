"""Vectors of the pictures and texts of a table: ids, reports, going on after a kill, networks."""

import csv
import io

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper
from PIL import Image

import alsolike as al
from alsolike.cli.group import main
from alsolike.data.datasets.demo import KINDS, draw
from alsolike.data.pictures import pretrained, vectors
from alsolike.data.pictures.drawings import Drawer
from alsolike.data.pictures.pretrained import Embedding
from alsolike.data.reading.features.item_vectors import ItemVectors
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError, WritingError
from alsolike.progress import Observer


@pytest.fixture
def quick(monkeypatch):
    """Take a network of four numbers."""
    asked = []

    def vector(pixels):
        asked.append(1)
        return np.array([*pixels.mean(axis=(0, 1)), pixels.std()], dtype=np.float32)

    monkeypatch.setattr(
        vectors,
        "efficientnet",
        lambda side: Embedding("quick", f"quick:{side}", side or 32, vector),
    )
    return asked


def drawings(n=12, seed=0):
    rng = np.random.default_rng(seed)
    return [draw(KINDS[at % len(KINDS)], rng) for at in range(n)]


def table(path, rows, names=("mid", "image")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def test_each_item_has_a_row_by_its_own_id(tmp_path, quick):
    shown = drawings(5)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.svg").write_text(shown[0])
    rows = [(30, "pictures/a.svg"), (4, shown[1]), (200, shown[1]), (7, ""), (8, "none.png"),
            (9, "https://example.org/a.png"), (4, shown[2]), ("", shown[3])]  # fmt: skip
    path = table(tmp_path / "items.csv", rows)
    found = al.picture_vectors(path, size=32)
    assert list(found.ids) == ["200", "30", "4"]
    assert found.vectors.shape == (3, 4)
    assert found.vectors[0].tolist() == found.vectors[2].tolist() != found.vectors[1].tolist()
    assert len(quick) == 2
    assert str(found.report).splitlines() == [
        "network                                                quick",
        "items                                                  6",
        "vectors                                                3 of 4 components",
        "pictures of other items                                1",
        "left out: no picture                                   1 ('7')",
        "left out: missing files                                1 ('8')",
        "left out: addresses on the web, which are not fetched  1 ('9')",
        "left out: further rows of an id                        1",
        "left out: rows without an id                           1",
    ]
    found.save(tmp_path / "images.npz")
    known, _ = al.read_features(vectors=tmp_path / "images.npz")
    assert list(known.ids) == ["200", "30", "4"]
    assert known.features.blocks[0].name == "images"
    assert known.features.matrix.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-6)
    again = al.picture_vectors(path, size=32, threads=1)
    assert again.vectors.tobytes() == found.vectors.tobytes()


def test_a_mapping_and_a_folder_will_do(tmp_path, quick):
    (tmp_path / "a.svg").write_text(drawings(1)[0])
    found = al.picture_vectors({"m1": "a.svg", "m2": "b.svg"}, folder=tmp_path)
    assert list(found.ids) == ["m1"]
    assert found.report.faults == {"missing files": ["m2"]}
    with pytest.raises(DataError, match=r"None of 1 item has a picture .*missing files: 1"):
        al.picture_vectors({"m1": "a.svg"}, folder=tmp_path / "other")
    with pytest.raises(SettingError, match="pixels from 32"):
        al.picture_vectors({"m1": "a.svg"}, size=8)


class Interrupting(Observer):
    def advance(self, steps=1):
        raise KeyboardInterrupt


def test_a_job_goes_on_where_it_was(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(vectors, "_AT_ONCE", 5)
    items = {f"m{at}": one for at, one in enumerate(drawings())}
    whole = al.picture_vectors(items, threads=1)
    kept = tmp_path / "un/finished"
    with pytest.raises(KeyboardInterrupt):
        al.picture_vectors(items, threads=1, resume=kept, observer=Interrupting())
    content = kept.read_bytes()
    quick.clear()
    for cut, known in ((0, 5), (7, 4), (len(content) - 3, 0)):
        kept.write_bytes(content[: len(content) - cut])
        found = al.picture_vectors(items, threads=1, resume=kept)
        assert found.vectors.tobytes() == whole.vectors.tobytes()
        assert found.report.resumed == known
    kept.write_bytes(content[:-20] + b"?" + content[-19:])  # a bit that was flipped on the disk
    assert al.picture_vectors(items, threads=1, resume=kept).report.resumed == 4
    assert al.picture_vectors(items, resume=kept).report.resumed == 12
    assert al.picture_vectors(items, size=64, resume=kept).report.resumed == 0
    kept.write_text("something else")
    with pytest.raises(WritingError, match="unfinished vectors expected"):
        al.picture_vectors(items, resume=kept)


def own_network(path, *, last=False, size=None, kind=TensorProto.FLOAT):
    """Write a network of one convolution of single pixels, 3 to 2."""
    side = "side" if size is None else size
    shape = ["n", side, side, 3] if last else ["n", 3, side, side]
    nodes = []
    name = "x"
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [name], ["f"], to=TensorProto.FLOAT))
        name = "f"
    if last:
        nodes.append(helper.make_node("Transpose", [name], ["t"], perm=[0, 3, 1, 2]))
        name = "t"
    nodes.append(helper.make_node("Conv", [name, "w"], ["y"]))
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 3, 1, 1], [1, 0, 0, 0, 1, 1])
    given = helper.make_tensor_value_info("x", kind, shape)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2, None, None])
    graph = helper.make_graph(nodes, "tiny", [given], [made], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_network_of_ones_own_is_run(tmp_path):
    red = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect width='9' height='9' fill='red'/></svg>"  # noqa: E501
    expected = {"unit": [1, 0], "centred": [1, -2], "bytes": [255, 0],
                "imagenet": [(1 - 0.485) / 0.229, -0.456 / 0.224 - 0.406 / 0.225]}  # fmt: skip
    path = own_network(tmp_path / "own.onnx")
    for pixels, vector in expected.items():
        found = al.picture_vectors({"a": red}, network=path, pixels=pixels, size=32)
        assert found.vectors[0].tolist() == pytest.approx(vector, rel=1e-5)
    assert pretrained.own_network(path).side == 224
    path = own_network(tmp_path / "last.onnx", last=True, size=48, kind=TensorProto.UINT8)
    found = al.picture_vectors({"a": red}, network=path)
    assert found.vectors.tolist() == [[255, 0]]
    assert found.report.network == "last.onnx at 48 pixels"
    with pytest.raises(DataError, match="it takes pictures of 48 x 48 pixels"):
        al.picture_vectors({"a": red}, network=path, size=64)
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(DataError, match=r"bad.onnx: an ONNX network expected"):
        al.picture_vectors({"a": red}, network=tmp_path / "bad.onnx")
    with pytest.raises(SettingError, match="Did you mean 'unit'"):
        al.picture_vectors({"a": red}, network=path, pixels="units")


def test_texts_with_related_words_are_near(tmp_path):
    texts = ["a red castle on a hill", "the castle of the king", "red castle, old king",
             "fish swim in the sea", "sea fish, waves", "waves in the sea", "", "zzz"]  # fmt: skip
    path = table(tmp_path / "items.csv", list(enumerate(texts)), ("id", "description"))
    found = al.text_vectors(path, components=3)
    assert list(found.ids) == ["0", "1", "2", "3", "4", "5"]
    units = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
    near = units @ units.T
    assert near[:3, :3].min() > near[:3, 3:].max()
    assert near[3:, 3:].min() > near[:3, 3:].max()
    again = al.text_vectors(path, components=3, threads=1)
    assert again.vectors.tobytes() == found.vectors.tobytes()
    assert "left out: items without known words  2" in str(found.report)
    whole = al.text_vectors(path)
    assert 0.95 < whole.report.share <= 1
    with pytest.raises(DataError, match="a smaller feature_min= keeps more"):
        al.text_vectors(
            table(tmp_path / "few.csv", [(1, "one"), (2, "two")], ("id", "description"))
        )


def test_kinds_of_the_demo_are_found_again():
    """Colour and shape of the nearest drawing, on a small set; benchmarks/pictures.py has all."""
    items = {f"m{at:03d}": one for at, one in enumerate(drawings(90, seed=3))}
    found = al.picture_vectors(items, size=64)
    centred = found.vectors - found.vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    near = centred @ centred.T
    np.fill_diagonal(near, -np.inf)
    kinds = np.arange(90) % len(KINDS)
    same = kinds[near.argmax(axis=1)]
    assert (same // 3 == kinds // 3).mean() > 0.95
    assert (same % 3 == kinds % 3).mean() > 0.75


def of_vectors(vectors, ids=None):
    known = [f"m{at}" for at in range(len(vectors))] if ids is None else ids
    return ItemVectors(Vocabulary.of(known, kind="item"), np.asarray(vectors, np.float32), "")


def test_near_duplicates_are_grouped_by_chains(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 30))
    vectors[7] = vectors[3] * 1.01
    vectors[30] = vectors[7] + 0.02 * rng.normal(size=30)
    vectors[21] = vectors[20]
    found = al.near_duplicates(of_vectors(vectors, list(range(100, 140))))
    assert found.groups() == [[103, 107, 130], [120, 121]]
    assert found.column() == {"103": "103", "107": "103", "130": "103", "120": "120", "121": "120"}
    assert str(found) == ("near-duplicates  2 groups of 5 items, by a cosine of 0.97 "
                          "(103 = 107 = 130; 120 = 121)")  # fmt: skip
    monkeypatch.setattr("alsolike.data.reading.features.near_duplicates._ROWS", 7)
    again = al.near_duplicates(of_vectors(vectors, list(range(100, 140))), threads=2)
    assert again.group.tolist() == found.group.tolist()
    alone = al.near_duplicates(of_vectors(vectors[10:20]), least=1)
    assert "none, by a cosine of 1" in str(alone)
    with pytest.raises(SettingError, match="above 0 and at most 1"):
        al.near_duplicates(of_vectors(vectors), least=2)


def test_the_command_writes_vectors_and_groups(tmp_path):
    shown = drawings(20)
    picture = io.BytesIO()
    with Drawer() as drawer:
        drawn = Image.open(io.BytesIO(drawer.png(shown[0].encode()))).convert("RGB")
    drawn.resize((400, 400)).save(picture, "JPEG", quality=80)
    (tmp_path / "large.jpg").write_bytes(picture.getvalue())
    rows = [*((f"m{at}", one) for at, one in enumerate(shown)), ("copy", "large.jpg")]
    path = table(tmp_path / "items.csv", rows)
    to, groups = tmp_path / "images.npz", tmp_path / "grouped.csv"
    done = CliRunner().invoke(main, ["features", "images", str(path), "--to", str(to),
                                     "--near-duplicates", str(groups)])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "near-duplicates  1 groups of 2 items, by a cosine of 0.97 (copy = m0)" in done.output
    assert not to.with_name("images.npz.unfinished").exists()
    with np.load(to) as stored:
        assert stored["vectors"].shape == (21, 1280)
    with groups.open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert [row["image"] for row in kept] == [image for _, image in rows]
    assert {row["mid"]: row["look_alike"] for row in kept if row["look_alike"]} == {
        "m0": "copy", "copy": "copy",
    }  # fmt: skip
    for wrong, said in ((["--components", "3"], "for texts"), (["--size", "8"], "32<=x<=1024")):
        done = CliRunner().invoke(main, ["features", "images", str(path), "--to", str(to), *wrong])
        assert done.exit_code == 2
        assert said in done.output
    done = CliRunner().invoke(main, ["features", "texts", str(path), "--to", str(to),
                                     "--column", "image", "--size", "64"])  # fmt: skip
    assert done.exit_code == 2
    assert "--size is for images" in done.output
