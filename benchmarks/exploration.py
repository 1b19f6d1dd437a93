"""Search against chance where the truth is known: modes found, each counted by its best sample.

    python benchmarks/exploration.py --seeds 12

Every seed has a hidden truth of its own (`phosphene.testing.modes`), a session of the real loop and
random search from the same warm-up at as many denoiser calls. Prints, for each explorer, the ratio
of QD scores over the true modes, with a 95 % interval over seeds, and the archive's speed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from phosphene.archive import Archive
from phosphene.candidate import Candidate, Proposal
from phosphene.exploring.study import study
from phosphene.genome import Genome
from phosphene.request import Request
from phosphene.search import Search
from phosphene.session import Session
from phosphene.testing.modes import Modes


def qd(session: Session, backbone: Modes) -> float:
    """Sum over the true modes of the best quality of what was finished."""
    asked = [
        proposal.genome
        for round in session.rounds.values()
        for id, proposal in round.proposals.items()
        if proposal.stop is None and not session.made[id].failed
    ]
    requests = [
        Request(
            prompt=g.prompt,
            noise={k: v.record() for k, v in g.noise.items()},
            steering=g.steering,
        )
        for g in asked
    ]
    noise = np.stack([backbone.noise(r) for r in requests])
    mode, quality, _, _ = backbone.truth(noise, [r.prompt for r in requests])
    best: dict[int, float] = {}
    for m, q in zip(mode.tolist(), quality.tolist(), strict=True):
        best[m] = max(best.get(m, 0.0), q)
    return sum(best.values())


def contest(explorer: str, seeds: int, budget: int) -> list[float]:
    """Search over chance, a ratio a seed."""
    module = "phosphene.testing.modes:"
    out = []
    for seed in range(seeds):
        backbone = Modes(seed=1000 + seed)
        settings = Search(
            explorer=explorer,
            budget=budget,
            seed=seed,
            prompt="",
            embeddings=({"name": f"{module}ModesEmbedding", "seed": 1000 + seed},),
            qualities=(
                f"{module}ModesQuality",
                {"name": f"{module}ModesQuality", "as": "again"},
            ),
        )
        with tempfile.TemporaryDirectory() as folder:
            study(backbone, Path(folder) / "s", settings)
            found, chance = (
                qd(Session.load(Path(folder) / name), backbone) for name in ("s", "s/control")
            )
        out.append(found / chance)
    return out


def archive_speed() -> tuple[float, float]:
    """Milliseconds to add 32 items of 512 dimensions to 10,000 and to 100,000: median of 9."""
    rng = np.random.default_rng(0)

    def fresh(count: int, batch: int) -> list[Candidate]:
        vectors = rng.standard_normal((count, 512)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return [
            Candidate(f"{batch:06d}-{i:05d}", Proposal(Genome(), "x"), vector=v, quality=0.5)
            for i, v in enumerate(vectors)
        ]

    archive, out, batch = Archive(), [], 0
    for size in (10_000, 100_000):
        while len(archive) < size:
            archive.add(fresh(1000, batch))
            batch += 1
        spent = []
        for _ in range(9):
            items = fresh(32, batch)
            batch += 1
            begun = time.perf_counter()
            archive.add(items)
            spent.append(1000 * (time.perf_counter() - begun))
        out.append(float(np.median(spent)))
    return out[0], out[1]


def rival_speed() -> float:
    """The same at 10,000 for pyribs' ProximityArchive, whose every add builds a k-D tree anew."""
    from ribs.archives import ProximityArchive

    rng = np.random.default_rng(0)
    archive = ProximityArchive(
        solution_dim=1, measure_dim=512, k_neighbors=3, novelty_threshold=0.0
    )

    def add(count: int) -> float:
        vectors = rng.standard_normal((count, 512)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        begun = time.perf_counter()
        archive.add(np.zeros((count, 1)), None, vectors)
        return 1000 * (time.perf_counter() - begun)

    for _ in range(5):
        add(2000)
    return float(np.median([add(32) for _ in range(5)]))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--budget", type=int, default=512)
    parser.add_argument("--explorer", action="append", help="may be repeated; portfolio")
    told = parser.parse_args()
    small, large = archive_speed()
    say(f"adding 32 items of 512 dimensions: {small:.1f} ms at 10,000, {large:.0f} at 100,000")
    try:
        rival = rival_speed()
        say(f"pyribs ProximityArchive: {rival:.0f} ms at 10,000, {rival / small:.0f} times as long")
    except ImportError:
        say("ribs is not installed: no rival to time")
    for explorer in told.explorer or ["portfolio"]:
        ratios = np.array(contest(explorer, told.seeds, told.budget))
        half = student.ppf(0.975, len(ratios) - 1) * ratios.std(ddof=1) / np.sqrt(len(ratios))
        say(
            f"{explorer}: QD score {ratios.mean():.2f} times random search's "
            f"[{ratios.mean() - half:.2f}, {ratios.mean() + half:.2f}], {told.budget} samples, "
            f"{len(ratios)} seeds, least {ratios.min():.2f}"
        )


if __name__ == "__main__":
    main()
