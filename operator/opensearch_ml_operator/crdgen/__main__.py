"""`python -m opensearch_ml_operator.crdgen FOLDER...`: write the CRDs, and their reference when asked to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..constants import GROUP
from ..models.kinds import KINDS
from .definition import definition
from .reference import reference
from .text import to_yaml


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one file for each kind into each folder, and the reference page."""
    parser = argparse.ArgumentParser(prog="python -m opensearch_ml_operator.crdgen", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="where the CRDs are written")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="where the reference page is written")
    options = parser.parse_args(arguments)
    files = {f"{GROUP}_{info.plural}.yaml": to_yaml(definition(info)) for info in KINDS}
    for folder in options.folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    if options.reference:
        options.reference.parent.mkdir(parents=True, exist_ok=True)
        options.reference.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
