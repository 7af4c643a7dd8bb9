"""Output shapes, receptive fields, parameters and multiply-adds of any 2-D network, by running it without numbers."""

from helpers.tracing.report import ReceptiveField, UnsupportedOperation, receptive_field, trace
from helpers.tracing.sizes import explain_sizes

__all__ = ["ReceptiveField", "UnsupportedOperation", "explain_sizes", "receptive_field", "trace"]
