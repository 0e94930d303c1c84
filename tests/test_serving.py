"""Many people at once: everybody gets the answer to their own image, and nobody pays for another's fault."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from detector import ImageError
from detector.images import open_image
from detector.predict import BATCH_SIZE
from detector.serving import Service
from detector.threads import over_cores
from tests.conftest import EXAMPLES

FILES = [
    EXAMPLES / f"{name}"
    for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "sdxl.webp", "reve.webp")
]


class Watched:
    """The bundled detector, noting the size of each batch; slow enough that people meet."""

    def __init__(self, detector):
        self.prepare, self.batches, self._detector = detector.prepare, [], detector
        self.fault = None

    def classify(self, x):
        self.batches.append(len(x))
        time.sleep(0.05)
        if self.fault:
            raise self.fault
        return self._detector.classify(x)


def ask_at_once(service: Service, images: list) -> list:
    """What each of many threads gets for its image: an Answer, or what was raised."""
    found = [None] * len(images)
    together = threading.Barrier(len(images))

    def ask(i: int) -> None:
        together.wait()
        try:
            found[i] = service.answer(images[i], 100)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            found[i] = error

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_everybody_gets_their_own_answer(bundled):
    watched = Watched(bundled)
    images = [*FILES * 6, b"no picture"]
    expected = {path: bundled.predict([path])[0] for path in FILES}
    for image, found in zip(images, ask_at_once(Service(watched), images), strict=True):
        if isinstance(image, bytes):
            assert isinstance(found, ImageError)
            continue
        np.testing.assert_allclose(found.verdict.logits, expected[image].logits, atol=1e-4)
        assert max(found.image.size) == 100
        assert abs(found.image.width / found.image.height - np.divide(*open_image(image).size)) < 0.02
    assert sum(watched.batches) == 36
    assert 1 < max(watched.batches) <= BATCH_SIZE
    assert len(watched.batches) < 18  # most went together


def test_a_fault_reaches_everyone_in_the_batch_and_is_over_then(bundled):
    watched = Watched(bundled)
    service = Service(watched)
    watched.fault = RuntimeError("out of memory")
    assert [str(found) for found in ask_at_once(service, FILES)] == ["out of memory"] * len(FILES)
    watched.fault = None
    assert service.answer(FILES[0]).verdict.label == bundled.predict(FILES[:1])[0].label
    assert service.answer(FILES[0]).image is None  # nobody asked for it


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside another"])
def test_a_program_that_ends_takes_no_more_and_keeps_nothing(bundled, others):
    """Pools that are shut down refuse work, as they do while the interpreter ends."""
    watched = Watched(bundled)
    service = Service(watched)
    inside, go_on = threading.Event(), threading.Event()
    watched.prepare = lambda *arguments: inside.set() or (go_on.wait(60) and bundled.prepare(*arguments))
    found = []
    threads = [threading.Thread(target=lambda: found.append(service.answer(FILES[0]))) for _ in range(others)]
    for thread in threads:
        thread.start()
        assert inside.wait(60)
    service._on_all_cores.shutdown(wait=False)
    service._on_one_core.shutdown(wait=False)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="shutdown"):
            service.answer(FILES[0])
    assert (service._unanswered, len(service._waiting)) == (others, 0)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert len(found) == others
    assert service._unanswered == 0


def test_one_alone_has_all_cores_and_many_have_one_each(bundled):
    threads = []
    watched = Watched(bundled)
    classify = watched.classify
    watched.classify = lambda x: threads.append(torch.get_num_threads()) or classify(x)
    service = Service(watched)
    service.answer(FILES[0])
    assert threads == [torch.get_num_threads()]
    ask_at_once(service, FILES * 4)
    assert threads[2:] == [1] * len(threads[2:])  # the first of the many came alone
    assert len(threads) > 2


def test_over_cores_keeps_the_order_and_leaves_the_threads_alone():
    before, inside = torch.get_num_threads(), set()

    def square(batch):
        torch.randn(200_000).square()
        inside.add(torch.get_num_threads())
        time.sleep(0.01 * (batch[0] % 3))
        return [item * item for item in batch]

    for n in (0, 1, 7, 100):
        assert list(over_cores(square, range(n), 8)) == [item * item for item in range(n)]
    assert inside == {1}
    assert torch.get_num_threads() == before


def test_over_cores_stops_at_an_error():
    seen = []

    def fail(batch):
        seen.extend(batch)
        if 5 in batch:
            raise KeyError("five")
        return batch

    with pytest.raises(KeyError, match="five"):
        list(over_cores(fail, range(1000), 1))
    assert len(seen) < 100


@pytest.mark.parametrize("others", [1, 2])
def test_closer_looks_take_turns_with_a_pile(bundled, monkeypatch, others):
    service = Service(bundled)
    prepare, inside, go_on = bundled.prepare, threading.Semaphore(0), threading.Event()

    def waits(*arguments):
        inside.release()
        assert go_on.wait(60)
        return prepare(*arguments)

    monkeypatch.setattr(service.detector, "prepare", waits)
    with ThreadPoolExecutor(others + 1) as pool:
        pile = [pool.submit(service.answer, FILES[0], None, True)]  # which alone has all cores
        assert inside.acquire(timeout=60)
        pile += [pool.submit(service.answer, FILES[0], None, True) for _ in range(others - 1)]
        assert service.aside(lambda: 7, of_a_pile=True) is None  # another of the pile waits
        looked = pool.submit(service.aside, lambda: 8)
        go_on.set()
        assert looked.result(60) == 8
        one, *rest = [answer.result(60).verdict.probs["human"] for answer in pile]
        assert rest == pytest.approx([one] * len(rest), abs=1e-5)  # on one core the sums are added in another order
    assert (service._unanswered, service._urgent) == (0, 0)
    assert service.aside(lambda: 9, of_a_pile=True) == 9
