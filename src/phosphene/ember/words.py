"""Words to numbers without a vocabulary file: each word hashes to one of a fixed number of rows."""

from __future__ import annotations

import re
import zlib

import torch

# Digits and symbols stand alone, so `3+4=` is four words.
_WORD = re.compile(r"[^\W\d_]+|\d|[^\w\s]")


def word_ids(prompts: list[str], length: int, vocabulary: int) -> torch.Tensor:
    """int64 `(b, length)`: CRC-32 of each lower-case word, folded to 1..vocabulary-1; 0 pads.

    Words beyond `length` are dropped.
    """
    ids = torch.zeros(len(prompts), length, dtype=torch.int64)
    for row, prompt in zip(ids, prompts, strict=True):
        words = _WORD.findall(prompt.lower())[:length]
        for i, word in enumerate(words):
            row[i] = 1 + zlib.crc32(word.encode()) % (vocabulary - 1)
    return ids
