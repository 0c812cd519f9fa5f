# SPDX-License-Identifier: Apache-2.0
# Notebooks: none holds an error, a path of a machine or a cell that was never run; the cheapest one
# runs from top to bottom where jupyter is.
notebooks=$LUTRA_ROOT/notebooks
python=/usr/bin/python3
[ -x $python ] || { echo 'no python3' >&2; exit 77; }
[ "$(ls "$notebooks"/*.ipynb | wc -l)" = 8 ]
$python - "$notebooks" <<'PY'
import json, pathlib, re, sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ipynb")):
    text = path.read_text(encoding="utf-8")
    cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    assert cells, path
    for cell in cells:
        assert cell["execution_count"], f"{path.name}: a cell without stored outputs"
        for output in cell["outputs"]:
            assert output["output_type"] != "error", f"{path.name}: an error is stored"
    assert not re.search(r"/(home|root|tmp)/", text), f"{path.name}: a path of somebody's machine"
PY
# the helper reads what the program writes
cat > read.py <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import lutra_notebook as lutra
rows = lutra.published("rounding")
assert lutra.pick(rows, "top-1")["8 bits"]["value"] == 0.88
assert lutra.facts(lutra.ROOT / "experiments/published/rounding.csv")["source"].startswith("Concrete ML")
PY
$python read.py "$notebooks"
/usr/bin/jupyter nbconvert --version > version.txt 2> /dev/null && $python -c 'import matplotlib, h5py, ipykernel' ||
    { echo 'no jupyter with matplotlib and h5py (notebooks/requirements.txt)' >&2; exit 77; }
[ -d /usr/share/datasets/fashion-mnist ] || { echo 'no Fashion-MNIST' >&2; exit 77; }
case $LUTRA in *asan*) echo 'not under a sanitizer: slow' >&2; exit 77 ;; esac
# what notebook 7 needs, made quickly
mkdir work
"$LUTRA" dataset import idx /usr/share/datasets/fashion-mnist --name fashion-mnist -q \
    -o work/fashion-mnist.h5 > import.txt
"$LUTRA" train "$LUTRA_ROOT/experiments/networks/fmnist-cnn.ini" --data work/fashion-mnist.h5 -q \
    --limit-train 2000 --validation 0 --epochs 1 -o work/fmnist-cnn.h5 > train.txt
LUTRA_WORK=$PWD/work /usr/bin/jupyter nbconvert --to notebook --execute --log-level=ERROR \
    --output-dir "$PWD" "$notebooks/7-choosing-parameters.ipynb"
grep -q 'look-ups; keys' 7-choosing-parameters.ipynb
