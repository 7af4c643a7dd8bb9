"""Output shapes, receptive fields, parameters and multiply-adds of any 2-D network, by running it without numbers."""

from helpers.tracing.report import ReceptiveField, UnsupportedOperation, receptive_field, trace

__all__ = ["ReceptiveField", "UnsupportedOperation", "receptive_field", "trace"]
