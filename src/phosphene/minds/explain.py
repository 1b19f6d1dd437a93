"""Explain: why transformers can't open a model, as one line that says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from phosphene.errors import PhospheneError

# What transformers' words mean, and what to do: the first that is found in them counts.
MEANINGS = (
    (
        ("couldn't connect", "offline mode", "LocalEntryNotFound", "Failed to resolve"),
        "the hub can't be reached and the local cache doesn't have it; go online once, or give a "
        "directory",
    ),
    (
        ("gated repo", "is gated"),
        "it is gated; accept its terms on its page, then `hf auth login`",
    ),
    (
        ("not a valid model identifier", "Repository Not Found", "404 Client Error"),
        "the hub has no such model, or it is private: check the name, or `hf auth login`",
    ),
    (("is not a valid git identifier", "Revision Not Found"), "it has no such --revision"),
    (
        ("trust_remote_code",),
        "it needs Python that ships with it; read that, then add --trust-remote-code",
    ),
    (("does not recognize this architecture",), "this transformers doesn't know its kind of model"),
    (
        ("Unrecognized configuration class",),
        "it is no language model: transformers has no causal class for it",
    ),
    (
        ("Can't load tokenizer", "Couldn't instantiate the backend tokenizer"),
        "it has no tokenizer; save one beside the weights",
    ),
    (
        ("processor", "feature extractor"),
        "it sees, but has no processor; save one beside the weights",
    ),
    (
        ("model.safetensors",),
        "it has no safetensors weights; if it has pickled ones that you trust, add --allow-pickle",
    ),
)


@contextlib.contextmanager
def explained(id: str) -> Iterator[None]:
    """Errors of transformers, inside the block, as PhospheneErrors that name the model `id`."""
    try:
        yield
    except PhospheneError:
        raise
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError) as error:
        told = f"{error} {error.__cause__ or ''}"
        for words, meaning in MEANINGS:
            if any(word.lower() in told.lower() for word in words):
                raise PhospheneError(f"can't open {id}: {meaning}") from error
        raise PhospheneError(f"can't open {id}: {brief(error)}") from error


def brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
