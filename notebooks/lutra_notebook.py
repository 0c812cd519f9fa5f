# SPDX-License-Identifier: Apache-2.0
"""What the notebooks share: call the program, read its files, draw.

Nothing is computed here that the program computes: every number comes from `lutra ... --json`, from a
figures.csv or from an HDF5 file. Work files lie in build/notebooks; what is there already is used again.
LUTRA_FULL=1 asks for the full setting instead of the quick one.
"""

import csv
import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = pathlib.Path(os.environ.get("LUTRA_WORK", ROOT / "build" / "notebooks"))
FULL = os.environ.get("LUTRA_FULL", "0") == "1"
NETWORKS = ROOT / "experiments" / "networks"
FASHION_MNIST = pathlib.Path("/usr/share/datasets/fashion-mnist")


def program():
    """Path of the program: LUTRA, the one that was built here, or the one that is installed."""
    for candidate in (os.environ.get("LUTRA"), ROOT / "build" / "release" / "lutra", shutil.which("lutra")):
        if candidate and pathlib.Path(candidate).exists():
            return str(candidate)
    raise FileNotFoundError("lutra is not built: run 'make' first")


def call(*arguments, check=True):
    """Runs `lutra ARGUMENTS`, shows the command, returns what it printed (paths of work files shortened)."""
    words = [str(a) for a in arguments]
    print("$ lutra " + " ".join(shorten(w) for w in words))
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    done = subprocess.run([program(), *words], capture_output=True, text=True, env=environment)
    if check and done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout.replace(str(WORK), "WORK")


def ask(*arguments):
    """Runs `lutra ARGUMENTS --json` and returns the object."""
    return json.loads(call(*arguments, "-q", "--json"))


def shorten(word):
    """Paths as they look from the source folder."""
    return word.replace(str(WORK), "WORK").replace(str(ROOT) + "/", "")


def work(name):
    """A path among the work files."""
    WORK.mkdir(parents=True, exist_ok=True)
    return WORK / name


def fashion_mnist():
    """The dataset file of Fashion-MNIST, imported once."""
    path = work("fashion-mnist.h5")
    if not path.exists():
        call("dataset", "import", "idx", FASHION_MNIST, "--name", "fashion-mnist", "-q", "-o", path)
    return path


def model(network="fmnist-cnn", epochs=None, name=None, *more):
    """A trained model of experiments/networks/NETWORK.ini, trained once."""
    path = work((name or network) + ".h5")
    if not path.exists():
        epochs = epochs or (20 if FULL else 3)
        call("train", NETWORKS / f"{network}.ini", "--data", fashion_mnist(), "--epochs", epochs, "-q", *more,
             "-o", path)
    return path


def experiment(name, *more):
    """Runs an experiment once and returns its folder."""
    folder = work(f"experiment-{name}")
    if not (folder / "run.json").exists():
        call("experiment", "run", name, "--full" if FULL else "--quick", "--inputs", WORK, "--force",
             "-q", *more, "-o", folder)
    return folder


def figures(path):
    """Rows of a figures.csv (docs/experiments.md): a list of dicts with numbers as floats."""
    path = pathlib.Path(path)
    path = path / "figures.csv" if path.is_dir() else path
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    for row in rows:
        for key in ("value", "low_95", "high_95"):
            row[key] = float(row[key]) if row[key] else float("nan")
        row["trials"] = int(row["trials"])
    return rows


def facts(path):
    """Facts at the head of a figures.csv."""
    path = pathlib.Path(path)
    path = path / "figures.csv" if path.is_dir() else path
    with open(path, encoding="utf-8") as file:
        return dict(line[2:].strip().split(": ", 1) for line in file if line.startswith("# ") and ": " in line)


def pick(rows, quantity):
    """Figures of one quantity, by where they stand."""
    return {row["at"]: row for row in rows if row["quantity"] == quantity}


def published(name):
    """Published figures of an experiment."""
    return figures(ROOT / "experiments" / "published" / f"{name}.csv")


def table(rows, *columns):
    """Prints rows (dicts) as a table."""
    cells = [[str(row[c]) if not isinstance(row[c], float) else f"{row[c]:.4g}" for c in columns] for row in rows]
    widths = [max(len(c), *(len(r[i]) for r in cells)) if cells else len(c) for i, c in enumerate(columns)]
    print("  ".join(c.ljust(w) for c, w in zip(columns, widths)))
    for row in cells:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths)))


def picture(path):
    """A PNG in the page."""
    from IPython.display import Image, display

    display(Image(filename=str(path)))
