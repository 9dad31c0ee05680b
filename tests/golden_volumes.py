"""Makes golden images of the volume format: run once for a version, then kept for ever.

    CONCLAVE_BUILD=build golden_volumes.py NAME    writes tests/vectors/NAME.img.xz and NAME.json

NAME is volume-v1-orphans. Where the log ring holds no frame its random bytes are replaced by zeros,
so that the file stays small: a reader looks at nothing there.
"""

import json
import lzma
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fs_support as fs
import volume_reader

SIZE = 32 << 20
MAKERS = {"volume-v1-orphans": "orphans"}


def main(name):
    with tempfile.TemporaryDirectory() as work:
        path = pathlib.Path(work) / "volume.cv"
        fs.tool("create", path, SIZE)
        fs.tool(MAKERS[name], path)
        before = volume_reader.Volume(path, fs.KEY)
        with open(path, "r+b") as f:
            f.seek(before.super.ring * 4096)
            f.write(bytes(before.super.ring_blocks * 4096))
        assert before.frames == 0
        volume = volume_reader.Volume(path, fs.KEY)
        tree = volume.describe()
        assert tree == before.describe()
        found = fs.tool("check", path).stdout.decode().split()
        counts = dict(part.split("=") for part in found)
        assert counts["problems"] == "0"
        vectors = fs.ROOT / "tests" / "vectors"
        (vectors / f"{name}.img.xz").write_bytes(lzma.compress(path.read_bytes(), preset=9))
        (vectors / f"{name}.json").write_text(json.dumps(
            {"key": fs.KEY.hex(), "recovery": fs.RECOVERY.hex(),
             "generation": volume.super.generation, "files": int(counts["files"]),
             "orphans": int(counts["orphans"]), "tree": tree}, indent=1, sort_keys=True) + "\n")


main(sys.argv[1])
