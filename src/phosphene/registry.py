"""Registry: the file's name is the lookup key; a component's module is imported on first use."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from phosphene.errors import unknown


@dataclass(frozen=True)
class Registry:
    """The components of one kind, each a module in one package.

    The module `phosphene.tasks.maze` holds the task `maze`; its component is the module's attribute
    `COMPONENT`. Other packages add components through the entry-point group of the package's name
    (`phosphene.tasks`), consulted only when no file has the name.

    Args:
        kind: singular noun for messages, e.g. `"task"`.
        package: dotted name of the package that holds the modules.
    """

    kind: str
    package: str

    def names(self) -> list[str]:
        """All names, sorted, without importing any component."""
        found = importlib.import_module(self.package)
        files = {m.name for m in pkgutil.iter_modules(found.__path__) if m.name[0] != "_"}
        return sorted(files | {e.name for e in entry_points(group=self.package)})

    def get(self, name: str) -> Any:
        """The component called `name`.

        Raises:
            PhospheneError: no such component; the message offers the nearest names.
        """
        found = importlib.import_module(self.package)
        if name in {m.name for m in pkgutil.iter_modules(found.__path__) if m.name[0] != "_"}:
            return importlib.import_module(f"{self.package}.{name}").COMPONENT
        for entry in entry_points(group=self.package):
            if entry.name == name:
                return entry.load()
        raise unknown(self.kind, name, self.names())
