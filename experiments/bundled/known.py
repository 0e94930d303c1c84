"""What the bundled model sees of the known pictures, kept beside it for detector.nearest; anew for new weights.

python -m experiments.bundled.known
"""

import numpy as np
from safetensors.numpy import save_file
from tqdm import tqdm

import detector
from detector.nearest import FREE, KEPT, digest, known_in
from ui.gallery import bundled_examples


def main() -> None:
    model = detector.load("bundled", "fp32", "cpu")
    paths = [one.path for one in (*known_in(FREE), *bundled_examples())]
    features = {digest(path): model.embed([model.prepare(path).x])[0].astype(np.float16) for path in tqdm(paths)}
    save_file(features, KEPT, {"weights": model.config.sha256})
    print(f"{len(features)} pictures in {KEPT}")


if __name__ == "__main__":
    main()
