"""Write the shipped model as a folder in the form of the Hugging Face hub: build/hub/kappa.

    .venv/bin/python tools/make_hub_card.py

The folder holds the files of the model, LICENSE and NOTICE, and the model card with the hub's YAML front matter; its
scores come from results/kappa.json. Nothing is uploaded. CONTRIBUTING.md says how a person does that.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from paraisite.model.registry import DEFAULT

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "src/paraisite/model/pretrained" / DEFAULT
TASK = {"task_type": "tabular-regression", "task_name": "lattice thermal conductivity, formula held out"}
DATASET = {"dataset_type": "phonix", "dataset_name": "phonix (Ohnishi et al., arXiv:2504.21245)"}
METRICS = {
    "male": "mean absolute error of log10 kappa",
    "median_ape": "median absolute percentage error",
    "spearman": "Spearman",
    "coverage": "coverage of the 90 % interval",
}
USE = f"""
## Use

```python
import paraisite

paraisite.predict("my.cif", model="FOLDER")  # where these files lie; without `model`, the copy in the package
```

The package `paraisite` ships these very files as `{DEFAULT}`.
"""


def hub_card() -> str:
    """Return the model card with the front matter; links into the repository become paths."""
    scores = json.loads((ROOT / "results/kappa.json").read_text(encoding="utf-8"))["all"]
    data = ModelCardData(
        model_name=f"ParAIsite {DEFAULT}",
        library_name="paraisite",
        license="other",
        license_name="mit-and-bsd-3-clause",
        license_link="NOTICE",
        language="en",
        tags=["materials-science", "thermal-conductivity", "crystals", "graph-neural-network", "uncertainty"],
        eval_results=[
            EvalResult(**TASK, **DATASET, metric_type=name, metric_name=title, metric_value=round(scores[name], 4))
            for name, title in METRICS.items()
        ],
    )
    text = re.sub(r"<!-- (?:begin|end) [\w-]+ -->\n", "", (MODEL / "README.md").read_text(encoding="utf-8"))
    text = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", text)
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{text}{USE}"))


def main() -> None:
    folder = ROOT / "build/hub" / DEFAULT
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MODEL, folder)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder)
    (folder / "README.md").write_text(hub_card(), encoding="utf-8")
    print(f"written: {folder.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
