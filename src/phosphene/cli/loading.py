"""Which backbone, and how to load it: flags that every verb which runs a backbone has."""

# Annotations stay values here: a verb's own options inherit them in a module without their names.
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from phosphene.errors import unknown

if TYPE_CHECKING:
    from phosphene.backbone import BackboneSpec

DTYPES = {
    "float32": "float32",
    "fp32": "float32",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float16": "float16",
    "fp16": "float16",
}
ALLOW_PICKLE = (
    "accept pickled weights. Off, because opening a pickle runs whatever code is in it; "
    "safetensors files cannot run code."
)
TRUST_REMOTE_CODE = (
    "run Python that ships with the weights. Off, because it runs as you, with your files and "
    "keys: read it first, and pin it with --revision."
)
LOAD = Parameter(group=Group("How to load it", sort_key=2))


@dataclass(frozen=True)
class Loading:
    """Flags that settle which weights run, and where; None is a flag that was not given.

    Args:
        backbone: a name of `phosphene ls backbones`, a directory or a hub id; ember if not given.
        revision: hub branch, tag or commit.
        variant: weight-file variant, e.g. fp16.
        dtype: float32, bfloat16 or float16.
        device: cpu, cuda, cuda:1 or mps; an accelerator if there is one.
        offload: keep weights off the accelerator until needed: model, sequential or group.
        quantize: quantization scheme: bnb-8bit, bnb-4bit, torchao-int8, ...
        cache: step cache, see `phosphene doctor --backbone X`.
        compile: compile the denoiser with torch.compile.
        lora: LoRA weights, a path or hub id; may be repeated.
        allow_pickle: accept pickled weights.
        trust_remote_code: run Python that ships with the weights.
    """

    backbone: Annotated[str | None, LOAD] = None
    revision: Annotated[str | None, LOAD] = None
    variant: Annotated[str | None, LOAD] = None
    dtype: Annotated[str | None, LOAD] = None
    device: Annotated[str | None, LOAD] = None
    offload: Annotated[str | None, LOAD] = None
    quantize: Annotated[str | None, LOAD] = None
    cache: Annotated[str | None, LOAD] = None
    compile: Annotated[bool | None, LOAD] = None
    lora: Annotated[tuple[str, ...] | None, LOAD] = None
    allow_pickle: Annotated[bool | None, LOAD, Parameter(help=ALLOW_PICKLE)] = None
    trust_remote_code: Annotated[bool | None, LOAD, Parameter(help=TRUST_REMOTE_CODE)] = None

    def spec(self, usual: str = "ember") -> "BackboneSpec":
        """Which backbone, and how to load it.

        Args:
            usual: the backbone if none was given.

        Raises:
            PhospheneError: an unknown dtype.
        """
        from phosphene.backbone import BackboneSpec

        if self.dtype is not None and self.dtype not in DTYPES:
            raise unknown("dtype", self.dtype, DTYPES)
        names = [f.name for f in dataclasses.fields(BackboneSpec) if f.name != "id"]
        given = {n: getattr(self, n) for n in names if getattr(self, n) is not None}
        if self.dtype is not None:
            given["dtype"] = DTYPES[self.dtype]
        return BackboneSpec(self.backbone or usual, **given)
