"""Which pictures are played, whose votes count and for how long, and what the game's doors refuse."""

import base64
import io
import json
import math
import sys
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

import pytest
from PIL import Image

from detector import CLASSES, CheckpointError
from tests.conftest import EXAMPLES
from ui import quiz
from ui.gallery import Example, bundled_examples, shuffled
from ui.quiz import rounds
from ui.quiz.rounds import MAX_CLASSES, MAX_VISITORS, Votes, class_pictures, code_of, new_pictures
from ui.shared import NO_QUESTION

VISITOR = "0123456789abcdef" * 2


def done(value) -> Future:
    future = Future()
    future.set_exception(value) if isinstance(value, Exception) else future.set_result(value)
    return future


@pytest.fixture(scope="module")
def order() -> list[Example]:
    return shuffled(bundled_examples())


def test_a_class_has_the_same_pictures_and_another_class_others():
    assert class_pictures(code_of("k7"), 47) == class_pictures("K7", 47)
    assert len(set(class_pictures("K7", 47))) == 10
    assert len({tuple(class_pictures(f"K{i}", 47)) for i in range(50)}) == 50
    assert sorted(class_pictures("K7", 4)) == [0, 1, 2, 3]
    assert class_pictures("K7", 0) == new_pictures([], 0) == []


def test_pictures_are_other_ones_until_all_were_seen():
    first = new_pictures([], 25)
    second = new_pictures(first, 25)
    assert len({*first, *second}) == 20
    third = new_pictures(first + second, 25)
    assert {*range(25)} - {*first, *second} < {*third}
    assert len({*third}) == 10
    assert new_pictures([], 25) != new_pictures([], 25)


def test_a_visitor_counts_once_for_each_picture():
    votes = Votes()
    for visitor, picture, guess in (("a", 3, 0), ("a", 3, 2), ("b", 3, 2), ("b", 5, 1), ("a", 3, 1)):
        votes.vote("K7", visitor, picture, guess)
    votes.vote("K8", "c", 3, 1)
    assert votes.count("K7", [5, 3, 9]) == (2, [[0, 1, 0], [1, 0, 1], [0, 0, 0]])
    assert votes.count("K9", [3]) == (0, [[0, 0, 0]])


def test_votes_are_forgotten_an_hour_after_the_last_and_looking_keeps_none():
    now = [0.0]
    votes = Votes(lambda: now[0])
    votes.vote("K7", "a", 3, 0)
    for now[0] in (1800, 3599):
        assert votes.count("K7", [3])[0] == 1
    now[0] = 3600
    assert votes.count("K7", [3])[0] == 0
    votes.vote("K7", "a", 3, 2)
    now[0] = 7000
    votes.vote("K7", "b", 3, 2)
    now[0] = 10599
    assert votes.count("K7", [3]) == (2, [[0, 0, 2]])


def test_votes_are_forgotten_though_nobody_asks(monkeypatch):
    monkeypatch.setattr(rounds, "KEEP_SECONDS", 0.2)
    votes = Votes()
    votes.vote("K7", "a", 3, 0)
    assert votes._classes
    votes._timer.join(5)
    while votes._timer:  # a timer that was too early by a hair has set another
        votes._timer.join(5)
    assert not votes._classes


def test_votes_are_bounded():
    votes = Votes()
    for i in range(MAX_VISITORS + 5):
        votes.vote("C0", f"{i}", 3, 1)
    votes.vote("C0", "0", 4, 2)  # who is in may go on
    assert votes.count("C0", [3, 4]) == (MAX_VISITORS, [[0, MAX_VISITORS, 0], [0, 0, 1]])
    for i in range(1, MAX_CLASSES):
        votes.vote(f"C{i}", "a", 3, 0)
    votes.vote("C0", "0", 3, 0)
    votes.vote("one more", "a", 3, 0)
    assert votes.count("one more", [3])[0] == 0
    assert votes.count("C1", [3])[0] == 1  # who plays is not pushed out
    assert votes.count("C0", [3])[0] == MAX_VISITORS
    assert len(votes._classes) == MAX_CLASSES


@pytest.mark.parametrize("turn", range(4))  # what a lock prevents does not happen every time
def test_threads_may_vote_together(turn):
    votes, start = Votes(), Barrier(8)

    def visit(first: int) -> None:
        start.wait()
        for i in range(first, 2000, 8):
            votes.vote(f"C{i % 3}", f"{i % 200}", i // 200, i % 3)
            votes.count("C0", [0])

    ordinary = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they do get in each other's way
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(visit, range(8)))
    finally:
        sys.setswitchinterval(ordinary)
    counted = [votes.count(code, list(range(10))) for code in ("C0", "C1", "C2")]
    assert [people for people, _ in counted] == [200, 200, 200]
    assert sum(sum(picture) for _, pictures in counted for picture in pictures) == 2000


def test_a_picture_is_its_pixels_and_nothing_else(tmp_path):
    image = Image.open(EXAMPLES / "chelsea.png").convert("RGB").resize((900, 600))
    image.save(tmp_path / "dalle.gif", comment=b"secret")
    image.save(tmp_path / "dalle.jpg", comment=b"secret", exif=b"Exif\0\0secret")
    gallery = done([Example(tmp_path / name, "dalle", "secret") for name in ("dalle.gif", "dalle.jpg", "gone.jpg")])
    for picture in (0, 1):
        (address,) = quiz.play_picture(gallery, {"picture": picture}).values()
        sent = base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))
        assert b"secret" not in sent
        assert Image.open(io.BytesIO(sent)).size == (640, 427)
    with pytest.raises(ValueError, match="This picture does not exist"):
        quiz.play_picture(gallery, {"picture": 2})


def test_the_truth_waits_for_no_model_and_does_without(order):
    asked = {"picture": 3, "guess": 1}
    told = quiz.play_guess(Future(), done(order), Votes(), asked)
    assert told == {"label": CLASSES.index(order[3].label), "told": order[3].told, "answer": {"waiting": True}}
    told = quiz.play_guess(done(CheckpointError("It is broken.")), done(order), Votes(), asked)
    assert (told["told"], told["answer"]) == (order[3].told, {"error": "It is broken."})


def ask(url: str, name: str, *data) -> dict:
    request = urllib.request.Request(
        f"{url}/gradio_api/run/{name}", json.dumps({"data": data}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def test_hostile_questions_are_refused_in_a_sentence(url, log, order):
    n = len(order)
    numbers = (-1, n, 10**30, 1.5, math.inf, True, "1", None, [], {})
    codes = ("", "x" * 21, "a b", "<b>", "../x", "Ä", "K7\n", 7, None, ["K7"], {})
    member = class_pictures("K7", n)[0]
    stranger = next(i for i in range(n) if i not in class_pictures("K7", n))
    vote = {"picture": member, "guess": 1, "class": "K7", "visitor": VISITOR}
    wrong = [
        *(("play_picture", {"picture": number}) for number in numbers),
        *(("play_guess", {"picture": number, "guess": 0}) for number in numbers),
        *(("play_guess", {"picture": 0, "guess": number}) for number in (3, *numbers)),
        *(("play_guess", vote | {"class": code}) for code in codes),
        *(("play_guess", vote | {"visitor": token}) for token in ("", VISITOR[1:], VISITOR + "0", "Z" * 32, 5, None)),
        ("play_guess", {key: vote[key] for key in ("picture", "guess", "class")}),
        ("play_guess", vote | {"picture": stranger}),
        *(("play_rounds", {"class": code}) for code in codes),
        *(("play_rounds", {"seen": seen}) for seen in ([n], [-1], ["0"], [[0]], [None], [0] * (n + 1), 5, None)),
        *(("play_votes", {"class": code}) for code in codes),
        *((name, {}) for name in ("play_rounds", "play_picture", "play_guess", "play_votes")),
        *((name, 5) for name in ("play_rounds", "play_picture", "play_guess", "play_votes")),
    ]
    before = len(log.read_text())
    refused = [(name, asked, ask(url, name, asked).get("error")) for name, asked in wrong]
    assert [found for found in refused if found[2] != NO_QUESTION] == []
    assert "Traceback" not in log.read_text()[before:]
    assert ask(url, "play_votes", {"class": "K7"})["data"][0]["people"] == 0  # none of them counted


def test_no_pictures_are_said():
    assert quiz.play_rounds(done([]), {"seen": []}) == {"pictures": []}
    assert quiz.play_votes(done([]), Votes(), {"class": "K7"}) == {"people": 0, "votes": [], "truth": []}
