"""Vectors of pictures: what they find again on emoji and on the demo, and how long they take.

Run as ``python benchmarks/pictures.py [--tasks time,demo,cold,emoji] [--folder FOLDER]``.

``time``: one picture on one core, by alsolike's own convolutions and by ONNX Runtime, which runs
the same network with the same weights, in turns; and the largest difference of their vectors.

``demo``: the drawings of the demo, whose hidden kinds are a motif and a colour. Quoted is how often
the nearest drawing is of the same kind, motif, colour; beside the network stand the pixels and a
histogram of colours.

``cold``: the demo's users like kinds, which its drawings show. A tenth of the items is held out
with all likes, and recommended by their pictures alone; recall of lists among the new items, with
its paired difference from popularity and from chance.

``emoji``: drawings of two vendors, from the npm packages emoji-datasource-twitter and -google
16.0.0, fetched by ``npm pack`` into FOLDER unless they are there. Of those with a drawing of both
and no flags: the share of the five nearest in the same subcategory, by one vendor's drawings; and
how often the nearest drawing of the other vendor is of the same emoji. Pictures have 64 pixels and
are enlarged; vectors are centred for each vendor.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

import alsolike as al
from _side_by_side import listed, table
from alsolike.cli.terminal import Terminal
from alsolike.data.datasets.demo import write_demo
from alsolike.data.pictures.convolutions import Convolution, padded
from alsolike.data.pictures.drawings import Drawer
from alsolike.data.pictures.network import Network
from alsolike.data.pictures.opening import open_pixels
from alsolike.data.pictures.pretrained import efficientnet
from alsolike.data.pictures.sources import Source
from alsolike.evaluation.statistics.intervals import paired_difference

Floats = npt.NDArray[np.float64]

VENDORS = ("twitter", "google")
VERSION = "16.0.0"
TURNS = 40
NEAREST = 5


def onnx_of(network: Network, side: int) -> bytes:
    """Return a network as ONNX: what a peer is to run."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []
    name, size = "pixels", side

    def add(kind: str, inputs: list[str], **settings: Any) -> str:
        made = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [made], **settings))
        return made

    def keep(values: Any) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values), f"w{len(weights)}"))
        return weights[-1].name

    def convolved(name: str, one: Convolution, size: int) -> str:
        kernel = one.weights
        if one.kind == "pointwise":
            kernel = kernel[np.newaxis, np.newaxis]
        elif one.kind == "depthwise":
            kernel = kernel[:, :, np.newaxis]
        window = kernel.shape[0]
        around = padded(np.ones((size, size, 1), np.float32), window, one.stride)[..., 0]
        before = int(np.argmax(around.any(axis=1)))
        after = len(around) - size - before
        group = kernel.shape[3] if one.kind == "depthwise" else 1
        return add("Conv", [name, keep(kernel.transpose(3, 2, 0, 1)), keep(one.bias)],
                   strides=[one.stride] * 2, pads=[before, before, after, after],
                   group=group)  # fmt: skip

    name = add("Transpose", [name], perm=[2, 0, 1])
    name = add("Unsqueeze", [name, keep(np.array([0], dtype=np.int64))])
    name = add("Sub", [name, keep(np.float32(network.mean))])
    name = add("Div", [name, keep(np.float32(network.scale))])
    least, most = keep(np.float32(0)), keep(np.float32(6))
    for block in network.blocks:
        before = name
        for one in block.convolutions:
            name = convolved(name, one, size)
            size = -(-size // one.stride)
            if one.is_clipped:
                name = add("Clip", [name, least, most])
        if block.is_added:
            name = add("Add", [name, before])
    name = add("GlobalAveragePool", [name])
    graph = helper.make_graph(
        nodes, "network",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [side, side, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, 1, 1])],
        weights,
    )  # fmt: skip
    opset = [helper.make_opsetid("", 13)]
    made: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return made


def seconds_of(sides: tuple[int, ...] = (64, 128, 224), turns: int = TURNS) -> None:
    """Print the time of one picture on one core."""
    import onnxruntime
    from threadpoolctl import threadpool_limits

    rows = []
    for side in sides:
        network = efficientnet(side).vector.__self__  # type: ignore[attr-defined]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            onnx_of(network, side), options, providers=["CPUExecutionProvider"]
        )
        pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)

        def peer(session: Any = session, pixels: Any = pixels) -> Any:
            return session.run(None, {"pixels": pixels.astype(np.float32)})[0].ravel()

        def own(network: Network = network, pixels: Any = pixels) -> Any:
            return network.vector(pixels)

        apart = float(np.abs(own() - peer()).max())
        clocks: dict[str, list[float]] = {"alsolike": [], "ONNX Runtime": []}
        with threadpool_limits(1):
            for _ in range(turns):
                for name, work in (("alsolike", own), ("ONNX Runtime", peer)):
                    start = time.perf_counter()
                    work()
                    clocks[name].append(1000 * (time.perf_counter() - start))
        for name, taken in clocks.items():
            rows.append({"pixels": str(side), "by": name, "median ms": float(np.median(taken)),
                         "least ms": min(taken), "largest difference": apart})  # fmt: skip
    print(table(rows), flush=True)


def centred_units(vectors: Any) -> Floats:
    """Return vectors less their mean, of length 1."""
    apart = np.asarray(vectors, dtype=np.float64)
    apart = apart - apart.mean(axis=0)
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    return apart / np.maximum(lengths, np.finfo(np.float64).tiny)  # type: ignore[no-any-return]


def pixels_of(squares: Any) -> Floats:
    """Return 16 x 16 pixels of each picture as a vector."""
    n, side = squares.shape[:2]
    part = side // 16
    blocks = squares.reshape(n, 16, part, 16, part, 3).mean(axis=(2, 4))
    return blocks.reshape(n, -1)  # type: ignore[no-any-return]


def histograms_of(squares: Any) -> Floats:
    """Return how often each of 8 x 8 x 8 colours occurs in a picture, square roots of shares."""
    steps = (squares // 32).astype(np.int64)
    codes = (steps[..., 0] * 64 + steps[..., 1] * 8 + steps[..., 2]).reshape(len(squares), -1)
    counts = np.stack([np.bincount(row, minlength=512) for row in codes])
    return np.sqrt(counts / codes.shape[1])  # type: ignore[no-any-return]


def squares_of(cells: list[str], folder: Path) -> Any:
    """Return the pixels of pictures, (n, 128, 128, 3)."""
    with Drawer() as drawer:
        return np.stack([open_pixels(Source(one, folder), 128, drawer)[0] for one in cells])


def nearest(units: Floats, others: Floats | None = None) -> Any:
    """Return all places by cosine, nearest first; without `others`, of the rest of the same."""
    near = units @ (units if others is None else others).T
    if others is None:
        np.fill_diagonal(near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")


def demo(folder: Path, n_items: int | None = None) -> None:
    """Print how often the nearest drawing of the demo is of the same kind."""
    import csv

    files = write_demo(folder / "demo")
    with files.items.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:n_items]
    images = {row["mid"]: row["image"] for row in rows}
    found = al.picture_vectors(images, resume=folder / "demo.vectors", observer=Terminal())
    kinds = np.array([row["kind"].split() for row in sorted(rows, key=lambda row: row["mid"])])
    squares = squares_of([images[one] for one in found.ids], folder)
    table_rows = []
    for name, vectors in {"network": found.vectors, "pixels": pixels_of(squares),
                          "histogram of colours": histograms_of(squares)}.items():  # fmt: skip
        first = nearest(centred_units(vectors))[:, 0]
        same = kinds == kinds[first]
        table_rows.append({"by": name, "same kind": float(same.all(axis=1).mean()),
                           "same motif": float(same[:, 1].mean()),
                           "same colour": float(same[:, 0].mean())})  # fmt: skip
    print(f"{len(kinds):,} drawings of the demo: the nearest one")
    print(table(table_rows), flush=True)


def cold(folder: Path, k: int = 10) -> None:
    """Print recall of new items of the demo by their pictures alone."""
    files = write_demo(folder / "demo")
    resume = folder / "demo.vectors"
    vectors = al.picture_vectors(files.items, resume=resume, observer=Terminal())
    vectors.save(folder / "images.npz")
    likes, _ = al.read(files.likes, user="uid", item="mid", item_vectors=folder / "images.npz")
    kept, _ = al.filter_counts(likes, min_per_user=5, min_per_item=5)
    split = al.hold_out_new_items(kept, share=0.1)
    values: dict[str, Floats] = {}
    for name in ("feature-als", "item-profile", "popularity", "random"):
        settings = {"factors": 64} if name == "feature-als" else {}
        model = al.fit(split.train, family=name, **settings)
        found = al.evaluate_new_items(
            model, split.test, exclude=split.train, k=k, metrics=["recall"],
            new_items=split.new_items("test"),
        )  # fmt: skip
        values[name] = np.asarray(found.among_new.per_user[f"recall@{k}"], dtype=np.float64)
    rows = []
    for name, own in values.items():
        row: dict[str, Any] = {"model": name, f"recall@{k}": float(own.mean())}
        for other in ("popularity", "random"):
            if name not in ("popularity", "random"):
                gain = paired_difference(own, values[other], np.random.default_rng(0))
                row[f"above {other}"] = f"{gain.mean:.4f} ({gain.low:.4f} to {gain.high:.4f})"
        rows.append(row)
    print(f"{len(split.new_items('test')):,} new items of the demo, {len(own):,} users")
    print(table(rows), flush=True)


def fetched(folder: Path, vendor: str) -> Path:
    """Return the folder of a vendor's package, fetched and unpacked unless it is there."""
    name = f"emoji-datasource-{vendor}"
    target = folder / f"{name}-{VERSION}"
    if not target.exists():
        archive = folder / f"{name}-{VERSION}.tgz"
        if not archive.exists():
            print(f"fetching {name} {VERSION}", flush=True)
            command = ["npm", "pack", "--silent", f"{name}@{VERSION}"]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(archive) as packed:
            kept = [one for one in packed if f"/img/{vendor}/64/" in one.name
                    or one.name == "package/emoji.json"]  # fmt: skip
            packed.extractall(target, members=kept, filter="data")
    return target / "package"


def emoji(folder: Path) -> None:
    """Print what the network, pixels and colours find again among emoji."""
    folders = {vendor: fetched(folder, vendor) for vendor in VENDORS}
    listed_all = json.loads((folders["twitter"] / "emoji.json").read_text(encoding="utf-8"))
    shown = [one for one in listed_all if one["category"] != "Flags" and all(
        (folders[vendor] / f"img/{vendor}/64" / one["image"]).exists() for vendor in VENDORS
    )]  # fmt: skip
    subcategories = np.array([one["subcategory"] for one in shown])
    # By place in the list, which keeps its order under ids of equal length.
    found: dict[str, dict[str, Floats]] = {}
    for vendor in VENDORS:
        pictures = folders[vendor] / f"img/{vendor}/64"
        cells = {f"{at:05d}": one["image"] for at, one in enumerate(shown)}
        resume = folder / f"{vendor}.vectors"
        vectors = al.picture_vectors(cells, folder=pictures, resume=resume, observer=Terminal())
        if len(vectors.ids) != len(shown):
            sys.exit(f"{vendor}: {vectors.report}")
        squares = squares_of([one["image"] for one in shown], pictures)
        found[vendor] = {
            "network": centred_units(vectors.vectors),
            "pixels": centred_units(pixels_of(squares)),
            "histogram of colours": centred_units(histograms_of(squares)),
        }
    rows = []
    for name in found["twitter"]:
        row: dict[str, Any] = {"by": name}
        for vendor in VENDORS:
            near = nearest(found[vendor][name])[:, :NEAREST]
            same = subcategories[near] == subcategories[:, np.newaxis]
            row[f"{vendor}: same subcategory of {NEAREST}"] = float(same.mean())
        first = nearest(found["twitter"][name], found["google"][name])[:, 0]
        row["the other vendor's first"] = float((first == np.arange(len(first))).mean())
        rows.append(row)
    counts = np.unique(subcategories, return_counts=True)[1]
    chance = float((counts * (counts - 1)).sum() / len(shown) / (len(shown) - 1))
    print(f"{len(shown):,} emoji of {len(counts)} subcategories; by chance {chance:.3f} of "
          f"{NEAREST} are of the same one")  # fmt: skip
    print(table(rows), flush=True)


def main() -> int:
    """Run the tasks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", default="time,demo,cold,emoji")
    parser.add_argument("--folder", type=Path, help="for packages and files [default: temporary]")
    parser.add_argument("--quick", action="store_true", help="few pictures, to try it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if asked.folder is None else asked.folder
        folder.mkdir(parents=True, exist_ok=True)
        tasks: dict[str, Callable[[], None]] = {
            "time": lambda: seconds_of((64,), 2) if asked.quick else seconds_of(),
            "demo": lambda: demo(folder, 60 if asked.quick else None),
            "cold": lambda: cold(folder),
            "emoji": lambda: emoji(folder),
        }
        for task in listed(asked.tasks):
            if task not in tasks:
                sys.exit(f"There is no task {task!r}: {', '.join(tasks)}.")
            print(f"-- {task}", flush=True)
            tasks[task]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
