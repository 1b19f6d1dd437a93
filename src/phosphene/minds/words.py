"""Words: the tokenizer of small minds, one token a word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

BEGIN, END, PAUSE, ANSWER, STOP, PADDING, UNKNOWN = MARKS = (
    "<think>",
    "</think>",
    "<pause>",
    "###",
    "<eos>",
    "<pad>",
    "<unk>",
)
# They say nothing that the order of the other words doesn't, and cost a third of the positions.
SILENT = ("every", "is", "a", "an", "the", "to")


def word_tokenizer(words: Iterable[str]) -> Any:
    """A transformers tokenizer whose tokens are these words, in lower case, and the marks.

    Function words (`SILENT`) and blanks are dropped: `Every lempus is a yumpus.` has the tokens
    `lempus`, `yumpus` and `.`.

    Args:
        words: without blanks inside; punctuation counts as words.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = dict.fromkeys([*MARKS, *sorted({w.lower() for w in words} - set(MARKS))])
    table = {word: number for number, word in enumerate(known)}
    inner = Tokenizer(models.WordLevel(table, unk_token=UNKNOWN))
    inner.normalizer = normalizers.Lowercase()
    silent = "|".join(map(re.escape, SILENT))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"\b({silent})\b"), "removed"),
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"###|[^\w<>/]"), "isolated"),
        ]
    )
    # Words with blanks between them; its prefix for glued pieces never occurs.
    inner.decoder = decoders.WordPiece("<glued>")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=STOP,
        pad_token=PADDING,
        unk_token=UNKNOWN,
        additional_special_tokens=[BEGIN, END, PAUSE, ANSWER],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
