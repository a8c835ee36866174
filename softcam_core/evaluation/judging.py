"""Everything that is found out about a few images: their maps by all methods, and the figures of these."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.evaluation.agreement import rank_correlation, top_overlap
from softcam_core.evaluation.cases import Case, Seen, present_in, see
from softcam_core.evaluation.curves import curve_area
from softcam_core.evaluation.map_figures import map_figures
from softcam_core.evaluation.mapping import Mapped, Wanted, make_maps, thumbnail_map
from softcam_core.evaluation.plan import Contender, Network, Plan
from softcam_core.evaluation.removal import removal_curves
from softcam_core.evaluation.robustness import robustness_figures
from softcam_core.evaluation.tables import About, Rows
from softcam_core.explainers.passes import forward_pixels, in_passes
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import Watch
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import ALWAYS_LARGE_ENOUGH

_AGREEMENT: Mapping[str, Callable[..., Tensor]] = {"rank_agreement": rank_correlation, "top_agreement": top_overlap}


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Images of one size, as networks see them that one network predicts for.

    Attributes
    ----------
    network : Network
        Of the first contender: its ``judge`` is that of all.
    contenders : tuple of Contender
    cases : tuple of Case
    seen : tuple of Seen
    images : Tensor, (B, 3, H, W)
        On the judge's device.
    predicted : Tensor, (B,) int64
        Class that the judge predicts.
    """

    network: Network
    contenders: tuple[Contender, ...]
    cases: tuple[Case, ...]
    seen: tuple[Seen, ...]
    images: Tensor
    predicted: Tensor


class PartJudge:
    """Judges all methods on a few images.

    Parameters
    ----------
    plan : Plan
    cases : sequence of Case
    watch : Watch

    Attributes
    ----------
    rows : Rows
        Figures, after `judge`.
    notes : dict
        What should be known of them, sentences, as keys.
    pictures : dict of str to ndarray
        "CASE_CONTENDER", both by number -> the map that a report shows, from `thumbnail_map`.
    """

    def __init__(self, plan: Plan, cases: Sequence[Case], watch: Watch) -> None:
        self.rows = Rows.empty()
        self.notes: dict[str, None] = {}
        self.pictures: dict[str, npt.NDArray[np.int8]] = {}
        self._plan, self._cases, self._watch = plan, cases, watch
        self._metrics = {metric.name: metric for metric in plan.metrics}
        # For agreement, of each case: maps of its label's class by networks that see it the same way.
        self._maps: dict[tuple[int, Preprocessing], list[tuple[About, Contender, Target, Tensor]]] = {}

    def judge(self) -> None:
        """Find out everything.

        Raises
        ------
        ImageReadError, SettingsError, CancelledError
            See `softcam_core.evaluation.evaluator.evaluate`.
        """
        batches = list(self._batches())
        # A method's maps, its robustness, and for all methods together what becomes of changed images.
        steps = sum(2 * len(batch.contenders) + 1 for batch in batches)
        watches = (self._watch.part(number, steps) for number in range(steps))
        for batch in batches:
            self._judge(batch, watches)
        self._compare()

    def _batches(self) -> Iterator[_Batch]:
        judges: dict[int, list[Contender]] = {}
        for contender in self._plan.contenders:
            judges.setdefault(id(contender.network.judge), []).append(contender)
        seen: dict[Preprocessing, tuple[Seen, ...]] = {}
        for contenders in judges.values():
            network = contenders[0].network
            if network.preprocessing not in seen:
                seen[network.preprocessing] = tuple(see(case.sample, network.preprocessing) for case in self._cases)
            by_size: dict[tuple[int, ...], list[int]] = {}
            for place, each in enumerate(seen[network.preprocessing]):
                by_size.setdefault(tuple(each.image.shape), []).append(place)
            for places in by_size.values():
                yield self._batch(contenders, [(self._cases[p], seen[network.preprocessing][p]) for p in places])

    def _batch(self, contenders: Sequence[Contender], pairs: Sequence[tuple[Case, Seen]]) -> _Batch:
        network = contenders[0].network
        judge = network.judge
        cases, seen = zip(*pairs, strict=True)
        images = torch.stack([each.image for each in seen]).to(judge.device, judge.dtype)
        height, width = images.shape[2:]
        try:
            with evaluating(judge), torch.inference_mode():
                logits = in_passes(
                    lambda some: judge.logits(images[some]),
                    len(images),
                    height * width,
                    limit=forward_pixels(images.device),
                )
        except RuntimeError as error:
            if min(height, width) >= ALWAYS_LARGE_ENOUGH:
                raise
            name = cases[0].sample.path.name
            reason = f"an input of {height} x {width} pixels is too small for {judge.card.architecture}"
            advice = "Leave small images out, or use a model that resizes its input."
            raise SettingsError(name, reason, advice) from error
        return _Batch(network, tuple(contenders), cases, seen, images, logits.argmax(1).clone())

    def _judge(self, batch: _Batch, watches: Iterator[Watch]) -> None:
        wanted = [self._wanted(batch, place) for place in range(len(batch.cases))]
        explained: dict[Contender, Tensor] = {}
        for contender in batch.contenders:
            mapped = make_maps(contender, batch.images, wanted, next(watches))
            self._remember(batch, contender, mapped, wanted)
            self._of_maps(batch, contender, mapped, wanted)
            if self._needs("predicted"):
                keys = [(place, each.predicted) for place, each in enumerate(wanted) if each.predicted is not None]
                explained[contender] = torch.stack([mapped.on_input[key] for key in keys])
            targets = [[each.predicted] for each in wanted if each.predicted is not None]
            for figures in robustness_figures(self._plan, contender, batch.images, targets, next(watches)):
                self._add(batch, contender, figures.name, figures.values, wanted)
        self._curves(batch, explained, wanted, next(watches))

    # --- what is asked

    def _needs(self, of: str) -> bool:
        judged = {m.of for m in self._plan.metrics if m.group != "cost" and m.name != "grid_pointing"}
        # What maps cost can be told of any.
        return of in (judged or {"predicted"})

    def _wanted(self, batch: _Batch, place: int) -> Wanted:
        case, seen = batch.cases[place], batch.seen[place]
        is_marked = seen.annotation == "seen" and case.finding is not None and self._needs("finding")
        label = self._plan.label_of(case) if self._needs("label") else None
        return Wanted(
            self._plan.target(batch.network, case.finding) if is_marked and case.finding is not None else None,
            self._plan.target(batch.network, label) if label is not None else None,
            self._plan.target(batch.network, int(batch.predicted[place])) if self._needs("predicted") else None,
        )

    # --- figures

    def _about(self, batch: _Batch, place: int, contender: Contender) -> About:
        case, names = batch.cases[place], self._plan.class_names
        sample = case.sample
        label = ", ".join(names[k] for k in present_in(sample.label)) or "nothing"
        predicted = names[int(batch.predicted[place])]
        head = (case.number, sample.row, sample.path.name, sample.split, case.group, label, predicted)
        return About(*head, *contender.key)

    def _remember(self, batch: _Batch, contender: Contender, mapped: Mapped, wanted: Sequence[Wanted]) -> None:
        """Notes, small maps for the report, and maps to compare with those of other methods."""
        title = contender.explainer.about.title
        self.notes |= dict.fromkeys(f"{title}: {note}" for note in mapped.notes)
        if mapped.lost:
            self.notes[f"{title}: some maps have values that are no numbers; they have no figures."] = None
        number = self._plan.contenders.index(contender)
        for place, (case, each) in enumerate(zip(batch.cases, wanted, strict=True)):
            if shown := each.finding or each.predicted or each.label:
                self.pictures[f"{case.number}_{number}"] = thumbnail_map(mapped.on_input[place, shown]).numpy()
            if each.label is not None and self._metrics.keys() & _AGREEMENT.keys():
                about = self._about(batch, place, contender)
                of_label = mapped.on_input[place, each.label]
                key = case.number, batch.network.preprocessing
                self._maps.setdefault(key, []).append((about, contender, each.label, of_label))

    def _of_maps(self, batch: _Batch, contender: Contender, mapped: Mapped, wanted: Sequence[Wanted]) -> None:
        """Figures that need the maps alone, and what these took."""
        regions = torch.stack([each.region for each in batch.seen]).to(batch.images.device)
        present = [self._plan.label_of(case) in present_in(case.sample.label) for case in batch.cases]
        for figures in map_figures(self._plan.metrics, mapped, wanted, regions, present):
            for place, target, value in zip(figures.places, figures.targets, figures.values.tolist(), strict=True):
                about = self._about(batch, place, contender)
                if isinstance(value, list):
                    self.rows.curve(about, figures.name, value, self._title(target))
                else:
                    self.rows.add(about, figures.name, value, self._title(target))
        for name, known in (("seconds", mapped.seconds), ("peak_memory", mapped.peak_memory)):
            for place, value in known.items() if name in self._metrics else ():
                self.rows.add(self._about(batch, place, contender), name, value)
        for (place, target), error in mapped.errors.items() if "conservation" in self._metrics else ():
            if target == (wanted[place].predicted or wanted[place].finding):
                self.rows.add(self._about(batch, place, contender), "conservation", error, self._title(target))

    def _add(self, batch: _Batch, contender: Contender, name: str, values: Tensor, wanted: Sequence[Wanted]) -> None:
        """A figure or a curve of the predicted class's map of every image."""
        for place, value in enumerate(values.tolist()):
            about, title = self._about(batch, place, contender), self._title(wanted[place].predicted)
            if isinstance(value, list):
                self.rows.curve(about, name, value, title)
            else:
                self.rows.add(about, name, value, title)

    def _curves(
        self,
        batch: _Batch,
        explained: Mapping[Contender, Tensor],
        wanted: Sequence[Wanted],
        watch: Watch,
    ) -> None:
        """Deletion, insertion and ROAD, in which all methods share what their inputs have in common."""
        if not explained:
            return
        names = {str(contender.key): contender for contender in explained}
        maps = {name: explained[contender] for name, contender in names.items()}
        found = removal_curves(
            self._metrics,
            batch.network.judge,
            batch.images,
            maps,
            batch.predicted,
            fill=torch.tensor(self._plan.cases.surveys[batch.network.preprocessing].mean),
            seed=self._plan.seed,
            watch=watch,
        )
        for name, curves in found.items():
            for method, contender in names.items():
                # Without a map there is no order in which anything goes.
                is_lost = maps[method].isnan().all(2).all(1).cpu()
                values = torch.where(is_lost[:, None], torch.nan, curves[method])
                self._add(batch, contender, name, values, wanted)
                self._add(batch, contender, name, curve_area(values), wanted)

    def _compare(self) -> None:
        """How alike the methods' maps of an image are."""
        for maps in self._maps.values():
            for (about, _, target, a), (_, other, _, b) in itertools.combinations(maps, 2):
                for name in self._metrics.keys() & _AGREEMENT.keys():
                    value = _AGREEMENT[name](a[None], b[None], **self._metrics[name].options)
                    self.rows.add(about, name, float(value), self._title(target), other=other.key)

    def _title(self, target: Target | None) -> str:
        return "" if target is None else target.title(self._plan.class_names)
