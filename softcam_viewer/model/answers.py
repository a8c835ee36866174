"""Questions to methods and their answers, those of late kept so that going back is immediate."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation
    from softcam_viewer.model.overlay import OverlayMap

CACHE_BYTES = 256 * 2**20
"""Some 100 maps of single pixels at 512 x 512 (1 MB, and 1.3 MB as drawn), or thousands of coarse ones: a comparison of
ten methods on ten cases, beside a model of a few hundred MB."""

Against = int | Literal["rest"] | None
Aim = tuple[int, Against]
"""A class, and what it is weighed against; see `softcam_core.explainers.targets.Target`."""

ImageKey = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a map is asked for: two that are equal have the same answer.

    Attributes
    ----------
    image : tuple
        Tells the pixels from others: file, frame, and the file's size and age.
    model : str
        Key of the model.
    method : str
        With its options.
    aim : (int, int or "rest" or None) or None
        None for evidence, which answers for all classes at once, and for the class that the method chooses.
    """

    image: ImageKey
    model: str
    method: str
    aim: Aim | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a method said.

    Attributes
    ----------
    explanation : Explanation
    overlay : OverlayMap or None
        Ready to be drawn where there is one map alone. Maps of evidence are made when their class is shown.
    """

    explanation: Explanation
    overlay: OverlayMap | None = None

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        overlay = self.overlay
        drawn = 0 if overlay is None else overlay.values.nbytes + overlay.index.nbytes + overlay.grid.nbytes
        return self.explanation.grid.nbytes + drawn


class AnswerCache:
    """Answers, those not used for longest forgotten first.

    Parameters
    ----------
    limit : int
        Bytes that are kept at most.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit, self._size = limit, 0
        self._answers: OrderedDict[Question, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._size

    def get(self, question: Question) -> Answer | None:
        """Look up an answer, which then is the one used last."""
        answer = self._answers.get(question)
        if answer is not None:
            self._answers.move_to_end(question)
        return answer

    def any_of(self, image: ImageKey, model: str) -> Answer | None:
        """Look up what any method said of a model and an image: the logits are the same in all."""
        return next((a for q, a in self._answers.items() if (q.image, q.model) == (image, model)), None)

    def put(self, question: Question, answer: Answer) -> None:
        """Keep an answer, unless it is larger than all that may be kept."""
        self._drop(question)
        if answer.nbytes > self._limit:
            return
        self._answers[question] = answer
        self._size += answer.nbytes
        while self._size > self._limit:
            self._drop(next(iter(self._answers)))

    def _drop(self, question: Question) -> None:
        answer = self._answers.pop(question, None)
        self._size -= answer.nbytes if answer else 0
