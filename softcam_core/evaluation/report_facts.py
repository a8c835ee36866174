"""What a report says of an evaluation in words: what was compared on what, and what that does not say."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import torch

from softcam_core.devices import describe_device
from softcam_core.evaluation.cases import present_in
from softcam_core.evaluation.metrics import Metric
from softcam_core.evaluation.plan import Network, Plan
from softcam_core.explainers.base import CONSERVATION_LIMIT, Explainer
from softcam_core.version import __version__

_OF = {
    "finding": "the map of the annotated class",
    "label": "the map of the label's class",
    "predicted": "the map of the class that the network predicts",
}
LIMITS = (
    "A figure of localisation says whether a map lies where people drew, not whether it is what the network uses: a "
    "network that has learnt a shortcut and a map that shows it have low figures, and the map is right.",
    "Boxes hold more than the finding. Where they are large, a map that points at nothing hits them often: look at the "
    "random map's figures.",
    "What has no figure on an image is left out of its mean, as the relevance mass of a map without positive evidence: "
    "where there are fewer images, the table says how many.",
    "Networks differ in how sure they are. Deletion and insertion begin at the probability that the network gives: "
    "compare them between methods on one network.",
    "Blanked blocks make images that the network has not been trained on. What its prediction does then is not only "
    "what it does without the evidence.",
    "Intervals and tests are about these images and these networks. Another seed of the training may change figures by "
    "more than they say.",
    "p-values are corrected for the methods compared in one figure, not for looking at several figures.",
)


def environment(plan: Plan) -> dict[str, str]:
    """What the evaluation ran on, without names of machines or people."""
    device = plan.contenders[0].network.model.device
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    return {
        "Device": describe_device(device) + threads,
        "Machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "Program": f"softcam {__version__}, torch {torch.__version__}",
        "Seed": str(plan.seed),
    }


def words(plan: Plan) -> Iterator[str]:
    """What was compared on what, sentences."""
    cases, names = plan.cases, plan.class_names
    counts = Counter(index for case in cases.chosen for index in present_in(case.sample.label))
    classes = ", ".join(f"{counts[index]} {name}" for index, name in enumerate(names) if counts[index])
    patients = len({case.group for case in cases.chosen})
    known = any(case.sample.patient for case in cases.chosen)
    of = f" of {patients} patients" if known else ""
    where = "of all splits" if plan.split == "all" else f"of the split {plan.split!r}"
    images = len(cases.chosen)
    yield (
        f"{len(plan.contenders)} explanations were judged on {images} image{'s' * (images != 1)}{of} {where} of "
        f"{cases.manifest.path.name} ({classes or 'none with a label'})."
    )
    for network in plan.networks[:1]:
        annotated = len(cases.annotated(network.preprocessing))
        finding = "the class of the label" if plan.finding is None else names[plan.finding]
        if annotated:
            yield f"In {annotated} of them {finding} is annotated: localisation is judged on the map of that class."
    softcams = [n.name for n in plan.networks if n.kind == "softcam"]
    others = [n for n in plan.networks if n.kind != "softcam"]
    yield (
        (f"Evidence is that of {' and '.join(softcams)}. " if softcams else "")
        + "".join(f"All other methods explain {n.name}{_KINDS[n.kind]}." for n in others)
    ).strip()
    if any(metric.group == "faithfulness" for metric in plan.metrics):
        yield (
            "Deletion, insertion and ROAD follow the probability of the class that the explained network predicts for "
            "the whole image."
        )


_KINDS = {"twin": "", "black_box": ", a separately trained black box", "softcam": ""}


def messages(plan: Plan, table: pa.Table, notes: Sequence[str]) -> Iterator[str]:
    """What should be known before the figures are believed, sentences.

    Parameters
    ----------
    plan : Plan
    table : Table
        Of `softcam_core.evaluation.tables.single_figures`.
    notes : sequence of str
        That came while judging.
    """
    yield from plan.notes
    for contender in plan.contenders:
        if contender.same_as_evidence:
            yield contender.same_as_evidence
    yield from notes
    yield from _not_conserved(plan, table)
    for network in plan.networks:
        survey = plan.cases.surveys[network.preprocessing]
        if outside := survey.annotations.count("outside"):
            yield (
                f"{network.name}: of {outside} image{'s' * (outside != 1)} the annotation lies wholly outside "
                "of what the network sees; they have no figures of localisation."
            )


def _not_conserved(plan: Plan, table: pa.Table) -> Iterator[str]:
    rows = table.filter(pc.equal(table["metric"], "conservation"))
    for contender in plan.contenders:
        model, method = contender.key
        own = rows.filter(pc.and_(pc.equal(rows["model"], model), pc.equal(rows["method"], method)))["value"].to_numpy()
        broken = int((~(own <= CONSERVATION_LIMIT)).sum())
        if broken and contender.explainer.about.family == "propagation":
            yield (
                f"{plan.titles[contender.key]}: in {broken} of {len(own)} maps relevance is not conserved; its sum is "
                f"more than {CONSERVATION_LIMIT:.0%} off the target."
            )


def network_facts(network: Network, table: pa.Table) -> dict[str, str]:
    """A row on a network: what it is, what it was trained on, and how often it is right here."""
    card = network.card
    samples = card.provenance.get("samples")
    trained = ""
    if isinstance(samples, Mapping) and isinstance(samples.get("train"), Mapping):
        trained = f"{sum(samples['train'].values())} images of {card.provenance.get('manifest', 'a table')}"
    loss = card.provenance.get("settings", {}).get("loss", {})
    penalty = ", ".join(f"{name} {loss[name]:g}" for name in ("l1", "l2") if loss.get(name)) if loss else ""
    known = [name for name in ("val_auc", "test_auc") if name in card.metrics]
    own = [f"{name.replace('_', ' ')} {card.metrics[name]:.3f}" for name in known]
    rows = table.filter(pc.equal(table["model"], network.name))
    columns = (rows[name].to_pylist() for name in ("case", "label", "predicted"))
    # Mosaics have no prediction of their own.
    said = {case: label == predicted for case, label, predicted in zip(*columns, strict=True) if predicted}
    if said:
        own.append(f"right on {sum(said.values())} of these {len(said)}")
    (height, width) = card.preprocessing.crop or (None, None)
    side = card.preprocessing.shorter_side
    size = f"{height} x {width} px" if height else f"shorter side {side} px" if side else "the image's own size"
    kinds = {"softcam": "SoftCAM", "twin": "black box, same weights", "black_box": "black box"}
    return {
        "name": network.name,
        "architecture": f"{card.architecture}, {kinds[network.kind]}",
        "input": size,
        "trained": trained or "not stated",
        "penalty": penalty or ("none" if loss else "not stated"),
        "metrics": ", ".join(own) or "not stated",
        "sha256": card.sha256[:12],
    }


def method_facts(explainer: Explainer) -> dict[str, str]:
    """A row on a method."""
    about = explainer.about
    return {"title": about.title, "asked": str(explainer), "reference": about.reference, "valid": about.valid}


def metric_facts(metric: Metric) -> dict[str, str]:
    """A row on a figure."""
    of = "" if metric.group == "cost" else _OF[metric.of]
    return {
        "title": metric.title,
        "asked": str(metric),
        "reference": metric.reference,
        "better": metric.better,
        "of": of,
    }
