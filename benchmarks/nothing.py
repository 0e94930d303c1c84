"""How often a real image is refused as holding nothing to judge: as it is, and at half size and JPEG 40.

python -m benchmarks nothing --images DATA        # DATA: a folder of train, val, test (../shared/data by default)
"""

from benchmarks.common import images_folder, report
from detector.files import find_images
from detector.images import open_image
from detector.nothing import nothing_to_judge
from detector.transforms import hard


def measure() -> dict:
    folder = images_folder()
    found = {}
    for split in ("train", "val", "test"):
        files = find_images(folder / split)
        refused = {"clean": 0, "hard": 0}
        for file in files:
            image = open_image(file)
            for name, variant in (("clean", image), ("hard", hard(image))):
                if reason := nothing_to_judge(variant):
                    refused[name] += 1
                    print(f"{file.relative_to(folder)}, {name}: {reason}", flush=True)
        found[split] = {"n": len(files)} | {f"{name}, refused": n for name, n in refused.items()}
        print(split, found[split], flush=True)
    total = sum(row["n"] for row in found.values())
    rates = {name: sum(row[f"{name}, refused"] for row in found.values()) / total for name in ("clean", "hard")}
    return {"splits": found} | {f"refused, {name}": round(rate, 5) for name, rate in rates.items()}


if __name__ == "__main__":
    report(measure)
