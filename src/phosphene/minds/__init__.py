"""The language side: continuous thought, gates, conditional behaviour, and organisms with known
truth. One file in `tasks/` is one text task, one in `probes/` one probe of a language model."""
