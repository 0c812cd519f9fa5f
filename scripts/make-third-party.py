#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes bridge/tfhe/THIRD-PARTY.md: every crate that the bridge links, with version and licence.

usage: scripts/make-third-party.py      (needs cargo and the crates of bridge/tfhe/Cargo.lock)
"""
import json
import subprocess

MANIFEST = "bridge/tfhe/Cargo.toml"


def main() -> None:
    metadata = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", MANIFEST,
         "--filter-platform", "x86_64-unknown-linux-gnu"]))
    packages = {p["id"]: p for p in metadata["packages"]}
    nodes = {n["id"]: n for n in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    linked, todo = set(), [root]
    while todo:
        node = todo.pop()
        if node in linked:
            continue
        linked.add(node)
        for dependency in nodes[node]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    linked.discard(root)
    lines = [
        "# Third-party software in the bridge",
        "",
        "The program links these crates when it is built with `BRIDGE=1`. Their licence texts come",
        "with their sources (`cargo vendor` shows them); a binary distribution must reproduce them.",
        "**tfhe-rs is BSD-3-Clause-Clear: that licence grants no patent rights, and its owner Zama",
        "asks for a patent licence for commercial use.**",
        "",
        "| crate | version | licence | source |",
        "|---|---|---|---|",
    ]
    for package in sorted((packages[i] for i in linked), key=lambda p: (p["name"], p["version"])):
        licence = package["license"] or package["license_file"] or "see its source"
        lines.append(f"| {package['name']} | {package['version']} | {licence} | {package['repository'] or ''} |")
    with open("bridge/tfhe/THIRD-PARTY.md", "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
