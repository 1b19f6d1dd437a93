"""Archive: every finished candidate that differs from the others, and distances between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phosphene.candidate import Candidate

TWIN = 0.02  # cosine distance below which two candidates are one
_FAR = np.float32(np.inf)


class Archive:
    """Grows and never forgets. What an explorer keeps as its elite is the explorer's own business.

    Distances are cosine distances between descriptors, 1 - <v, w>, exact, by one matrix product:
    32 against 100,000 of 512 dimensions take a fifth of a second on two cores.

    Attributes:
        candidates: those admitted, in order.
        fitness: quality of each, with what people like taken in; 0..1, float32.
    """

    def __init__(self, twin: float = TWIN) -> None:
        self.twin = twin
        self.candidates: list[Candidate] = []
        self._places: dict[str, int] = {}
        self._vectors = np.zeros((0, 0), np.float32)
        self._fitness = np.zeros(0, np.float32)

    def __len__(self) -> int:
        return len(self.candidates)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.candidates)

    def __contains__(self, id: object) -> bool:
        return id in self._places

    def __getitem__(self, id: str) -> Candidate:
        return self.candidates[self._places[id]]

    def place(self, id: str) -> int:
        """Where a candidate stands in `candidates`, `vectors` and `fitness`."""
        return self._places[id]

    @property
    def vectors(self) -> np.ndarray:
        """Descriptors, unit float32 `(len, d)`."""
        return self._vectors[: len(self)]

    @property
    def fitness(self) -> np.ndarray:
        return self._fitness[: len(self)]

    @fitness.setter
    def fitness(self, values: np.ndarray) -> None:
        self._fitness[: len(self)] = values

    def add(self, candidates: Sequence[Candidate]) -> list[bool]:
        """Admit those that are finished and no twins of one that is there or of a better one among
        themselves; returns which."""
        order = sorted(
            (i for i, c in enumerate(candidates) if c.finished and c.id not in self._places),
            key=lambda i: (-candidates[i].quality, candidates[i].id),
        )
        taken = [False] * len(candidates)
        if not order:
            return taken
        fresh = np.stack([candidates[i].vector for i in order]).astype(np.float32)
        near = self.distances(fresh)
        nearest = near.min(1) if near.shape[1] else np.full(len(order), _FAR)
        among = 1 - fresh @ fresh.T
        admitted: list[int] = []
        for n, i in enumerate(order):
            if nearest[n] >= self.twin and all(among[n, m] >= self.twin for m in admitted):
                admitted.append(n)
                taken[i] = True
        for n in sorted(admitted, key=lambda n: candidates[order[n]].id):
            self._put(candidates[order[n]], fresh[n])
        return taken

    def _put(self, candidate: Candidate, vector: np.ndarray) -> None:
        count = len(self.candidates)
        if count == len(self._vectors):
            room = max(64, 2 * count)
            grown = np.zeros((room, len(vector)), np.float32)
            grown[:count] = self._vectors[:count] if count else grown[:0]
            self._vectors = grown
            self._fitness = np.concatenate([self._fitness, np.zeros(room - count, np.float32)])
        self._vectors[count] = vector
        self._fitness[count] = candidate.quality
        self._places[candidate.id] = count
        self.candidates.append(candidate)

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """Cosine distances float32 `(n, len)` from unit vectors `(n, d)` to all candidates."""
        if not len(self):
            return np.zeros((len(vectors), 0), np.float32)
        return 1 - vectors @ self.vectors.T

    def novelty(self, vectors: np.ndarray, k: int = 3, itself: bool = False) -> np.ndarray:
        """Mean cosine distance to the k nearest candidates, float32 `(n,)`, inf if there are none.

        Args:
            itself: the vectors are candidates' own, so that the nearest one is not counted.
        """
        found = self.distances(vectors)
        k = min(k + itself, found.shape[1])
        if k <= itself:
            return np.full(len(vectors), _FAR)
        nearest = np.sort(np.partition(found, k - 1, 1)[:, :k], 1)
        return nearest[:, int(itself) :].mean(1).clip(0)
