"""Gates: which experts of a mixture are used more when a condition holds?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.class_means import cosines, separate
from phosphene.minds.contrast import contrast_of
from phosphene.minds.difference import differences, diverge
from phosphene.minds.probe import MindProbe
from phosphene.minds.routing import WHERE, Where, read_routing
from phosphene.minds.routing_report import RoutingReport
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import Result


@dataclass(frozen=True)
class Gates(MindProbe):
    """Compares routing between the two prompts of each pair, and the residual stream beside it.

    Args:
        pairs: file of JSON lines `{"a": with the condition, "b": without it}`, see
            `phosphene.minds.contrast`; the task's problems against their twins if empty.
        where: tokens that count: shared, those both prompts have, and what follows; all; or last,
            where the answer is said. Routing differs trivially on tokens that differ themselves.
        seed: of flips and resamples.

    References:
        Steering MoE LLMs via Expert (De)Activation (Fayyaz et al., 2025),
        https://arxiv.org/abs/2509.09660
        Controlling the False Discovery Rate (Benjamini and Hochberg, 1995).
    """

    pairs: str = ""
    where: Where = "shared"
    seed: int = 0
    name: ClassVar[str] = "gates"
    ASKS = "Which experts of a mixture are used more when a condition holds?"
    CONTROLS = (
        "sides of pairs swapped at random, every expert of every layer counted; the embedding; "
        "tokens that differ themselves left out"
    )

    def __post_init__(self) -> None:
        if self.where not in WHERE:
            raise PhospheneError(f"where must be one of {', '.join(WHERE)}; got {self.where!r}")

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        routers = subject.wires.routers()
        contrast = contrast_of(subject, self.pairs)
        routing = read_routing(subject, contrast, book, self.where)
        _, layers, experts = routing.difference.shape
        flat = contrast.grouped(routing.difference).reshape(-1, layers * experts)
        use = differences(flat, self.seed)
        a, b = (contrast.grouped(side) for side in routing.share)
        js = diverge(a, b, self.seed)
        surer = differences(contrast.grouped(routing.entropy[0] - routing.entropy[1]), self.seed)
        sides = [contrast.grouped(side) for side in routing.residual]
        told = separate(*sides, seed=self.seed)
        lean = (routing.inputs[0] - routing.inputs[1]).mean(0)
        rows = [routers.rows(n).detach().float().cpu().numpy() for n in routing.layers]
        cosine = np.stack([cosines(d, r) for d, r in zip(lean, rows, strict=True)])
        found = RoutingReport(contrast, routing, use, js, surer, told, cosine)
        return Result(found.table(), found.findings(), found.figures(), found.notes(self.where))


COMPONENT = Gates
