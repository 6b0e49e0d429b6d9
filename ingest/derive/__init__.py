"""Datastreams that are computed from others: window sums, indices, margins, steps."""
