"""View: what of a clip one training example shows, gives and says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """A choice of frames and words.

    Args:
        frame_ids: int64 `(f,)`, ascending.
        given: bool `(f,)`: pictures that are conditions.
        heard: bool `(f,)`: rows of sound that are conditions too.
        wording: row of the clip's words; None for no words at all.
        misheard: ids `(length,)` of the words heard in place of those said; 0 where they are heard
            rightly.
    """

    frame_ids: np.ndarray
    given: np.ndarray
    heard: np.ndarray
    wording: int | None
    misheard: np.ndarray

    def of(
        self, frames: np.ndarray, sound: np.ndarray, words: np.ndarray, family: int
    ) -> dict[str, np.ndarray]:
        """A training example.

        Args:
            frames: uint8 `(f, h, w, 3)`, those of `frame_ids`.
            sound: `(f, n)`, their rows.
            words: ids `(wordings, length)`, the whole clip's.
            family: the clip's.

        Returns:
            video and audio as given, words int64 `(length,)`, given and heard bool `(f,)`,
            frame_ids int64 `(f,)`, family int64 `()`.
        """
        said = np.zeros_like(words[0]) if self.wording is None else words[self.wording]
        heard = np.where((self.misheard > 0) & (said > 0), self.misheard, said)
        return {
            "video": frames,
            "audio": sound,
            "words": heard.astype(np.int64),
            "given": self.given,
            "heard": self.heard,
            "frame_ids": self.frame_ids,
            "family": np.array(family, np.int64),
        }
