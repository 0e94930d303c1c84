"""The tab "Play": you against the model, on pictures of the gallery whose truth is known; alone or as a class."""

from concurrent.futures import Future
from functools import partial
from pathlib import Path

import detector
from detector import CLASSES
from detector.images import open_image
from detector.output.data_url import address, data_url
from detector.verdict import NAMES
from ui.answer import card
from ui.gallery import Example, below, example_at
from ui.quiz.rounds import Votes, class_pictures, code_of, new_pictures, visitor_of
from ui.shared import Room, door
from ui.viewer import COLOURS

LONGEST = 640  # pixels of the longer side of a picture that is played


def draw(model: Future, gallery: Future) -> None:
    """Draw the tab. The futures yield a Service and a list of Examples."""
    scripts = ["viewer/paint", "quiz/class", "quiz/score", "quiz/quiz"]
    Room("quiz", scripts, "quiz", names=NAMES, colours=COLOURS, longest=LONGEST)
    votes = Votes()
    door("play_rounds", partial(play_rounds, gallery))
    door("play_picture", partial(play_picture, gallery))
    door("play_guess", partial(play_guess, model, gallery, votes))
    door("play_votes", partial(play_votes, gallery, votes))


def play_rounds(gallery: Future, asked: dict) -> dict:
    """{"pictures"}: the numbers of those that are played; of the `class`, or others than those that were `seen`."""
    n = len(gallery.result())
    if "class" in asked:
        return {"pictures": class_pictures(code_of(asked["class"]), n)}
    return {"pictures": new_pictures(asked["seen"], n)}


def play_picture(gallery: Future, asked: dict) -> dict:
    """{"picture"}: its pixels and nothing else of it, or of its `small` copy."""
    example = example_of(gallery, asked)
    if asked.get("small"):
        return {"picture": address(example.thumbnail)}
    image = open_image(example.path, "This picture", LONGEST)  # the file's name may tell
    return {"picture": data_url(image, LONGEST)}


def play_guess(model: Future, gallery: Future, votes: Votes, asked: dict) -> dict:
    """{"label", "told", "answer"}: the truth and what the model says, for a `guess`, which counts for the `class`."""
    example = example_of(gallery, asked)
    guess = below(asked["guess"], len(CLASSES))
    if "class" in asked:
        code, visitor = code_of(asked["class"]), visitor_of(asked["visitor"])
        if asked["picture"] not in class_pictures(code, len(gallery.result())):
            raise ValueError(asked["picture"])
        votes.vote(code, visitor, asked["picture"], guess)
    return truth_of(example) | {"answer": answer_of(model, example.path)}


def play_votes(gallery: Future, votes: Votes, asked: dict) -> dict:
    """{"people", "votes"}: what the `class` guessed of its pictures, in their order; their "truth", if it is asked."""
    examples, code = gallery.result(), code_of(asked["class"])
    pictures = class_pictures(code, len(examples))
    people, counted = votes.count(code, pictures)
    truth = [truth_of(examples[number]) for number in pictures] if asked.get("truth") else []
    return {"people": people, "votes": counted, "truth": truth}


def example_of(gallery: Future, asked: dict) -> Example:
    return example_at(gallery.result(), asked["picture"])


def truth_of(example: Example) -> dict:
    return {"label": CLASSES.index(example.label), "told": example.told}


def answer_of(model: Future, path: Path) -> dict:
    """The model's answer for the browser; {"waiting"} while it is loaded, since nobody's truth waits for that."""
    if not model.done():
        return {"waiting": True}
    try:
        service = model.result()
        verdict = service.answer(path).verdict
    except (detector.ImageError, detector.CheckpointError, ImportError) as error:
        return {"error": str(error)}
    if verdict.abstained:
        return {"error": f"There is nothing to judge: {verdict.abstained}."}
    told = card(verdict, service.detector)
    return {key: told[key] for key in ("who", "label", "probs")} | {"map": told["maps"]["cam"]}
