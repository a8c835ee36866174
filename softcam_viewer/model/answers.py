"""Questions to methods and their answers, those of late kept so that going back is immediate."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from softcam_core.explainers.explanation import Explanation
    from softcam_viewer.model.overlay import OverlayMap

CACHE_BYTES = 256 * 2**20
"""Some 100 maps at 512 x 512 as drawn (1.3 MB, of evidence 3.3 MB with the exact share of each pixel): a comparison of
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
    overlays : mapping of (int, int or "rest" or None) to OverlayMap
        Ready to be drawn, by what they are of: the only map there is, or those of evidence that were to be shown when
        it was asked for. Others are made when their class is shown.
    """

    explanation: Explanation
    overlays: Mapping[Aim, OverlayMap] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        return self.explanation.grid.nbytes + sum(overlay.nbytes for overlay in self.overlays.values())


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
