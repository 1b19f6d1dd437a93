"""Skeleton: the real pipeline object built from configurations alone, its weights left unread.

Diffusers models are built on the meta device, schedulers as they are; encoders, tokenizers and the
like are stand-ins that know their configuration. What the pipeline derives from them in its
constructor (scale factors, default sizes) is then there to be read.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

from phosphene.backbones.diffusers.source import Source
from phosphene.errors import PhospheneError, unknown

_log = logging.getLogger("phosphene")

# Pipelines that are Phosphene's own, by the class that an index names: what `train` exports.
OWN = {"EmberPipeline": "phosphene.ember.pipeline"}


def pipeline_class(source: Source, trusted: bool) -> type:
    """The class that `model_index.json` names, without running code that ships with the weights.

    Raises:
        PhospheneError: this version of diffusers has no such class, or it isn't a pipeline.
    """
    import diffusers
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    named = source.index.get("_class_name")
    if isinstance(named, list) and trusted:
        from diffusers.utils.dynamic_modules_utils import get_class_from_dynamic_module

        shipped: Any = get_class_from_dynamic_module(
            source.root, f"{named[0]}.py", class_name=named[1], trust_remote_code=True
        )
        return shipped
    if not isinstance(named, str):
        raise PhospheneError(f"{source.id}: model_index.json names no pipeline (_class_name)")
    if named in OWN:
        # With its components, which are looked for among what is imported.
        return getattr(importlib.import_module(OWN[named]), named)
    try:
        found = getattr(diffusers, named)
    except (AttributeError, ImportError, RuntimeError) as error:
        names = [n for n in dir(diffusers) if n.endswith("Pipeline")]
        raise unknown(
            "diffusers pipeline", named, names, f"(diffusers here is {diffusers.__version__})"
        ) from error
    if not (isinstance(found, type) and issubclass(found, DiffusionPipeline)):
        raise PhospheneError(f"{source.id}: {named} isn't a diffusers pipeline")
    return found


def component_class(library: str, name: str) -> type | None:
    """The class of a component, None if its library is not one that may be imported here."""
    from diffusers import pipelines

    if hasattr(pipelines, library):
        return getattr(getattr(pipelines, library), name, None)
    if library in ("diffusers", "transformers"):
        try:
            return getattr(importlib.import_module(library), name, None)
        except (ImportError, RuntimeError):
            return None
    return getattr(sys.modules.get(library), name, None)


class StandIn:
    """In the place of a component that is not built: it has the configuration's values, no more."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = Values(config)
        self.model_max_length = int(min(config.get("model_max_length", 77), 10**6))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.config, name)


class Values:
    """Read a mapping by attribute; what isn't there is an AttributeError, as in real configs."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(
            (k, Values(v) if isinstance(v, dict) else v) for k, v in values.items()
        )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def build(cls: type, source: Source) -> Any | None:
    """The skeleton of a pipeline, or None where a constructor needs more than configurations."""
    import inspect

    parameters = inspect.signature(cls.__init__).parameters
    arguments: dict[str, Any] = {
        name: source.index[name]
        for name in parameters
        if name in source.index and not isinstance(source.index[name], list)
    }
    try:
        with quiet():
            for name, (library, class_name) in source.components.items():
                if name in parameters:
                    found = component_class(library, class_name)
                    arguments[name] = _component(found, source.configs.get(name, {}))
            for name, parameter in parameters.items():
                if parameter.default is inspect.Parameter.empty and name != "self":
                    arguments.setdefault(name, None)
            return cls(**arguments)
    except Exception:  # constructors are other people's code: any failure means "not known"
        _log.debug("no skeleton of %s", cls.__name__, exc_info=True)
        return None


def _component(found: type | None, config: Mapping[str, Any]) -> Any:
    from accelerate import init_empty_weights
    from diffusers.models.modeling_utils import ModelMixin
    from diffusers.schedulers.scheduling_utils import SchedulerMixin

    if found is None or not issubclass(found, ModelMixin | SchedulerMixin):
        return StandIn(config)
    built: Any = found
    # Schedulers hold real tensors; only modules have parameters to leave on the meta device.
    with init_empty_weights():
        return built.from_config(dict(config))


@contextmanager
def quiet():
    """Diffusers and transformers keep their warnings and progress bars to themselves."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries: list[Any] = [diffusers_logging, transformers_logging]
    levels = [library.get_verbosity() for library in libraries]
    bars = [library.is_progress_bar_enabled() for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        yield
    finally:
        for library, level, bar in zip(libraries, levels, bars, strict=True):
            library.set_verbosity(level)
            if bar:
                library.enable_progress_bar()


class _Once(logging.Filter):
    """Lets each message through once in this process."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in self._said
        self._said.add(message)
        return new


_ONCE = _Once()


@contextmanager
def said_once():
    """The libraries' warnings are shown once, not once a batch."""
    handlers = [
        handler
        for library in ("diffusers", "transformers")
        for handler in logging.getLogger(library).handlers
    ]
    for handler in handlers:
        handler.addFilter(_ONCE)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_ONCE)
