"""Backtests: the engine and the refiner that `run` has, over history, and what their alerts were worth.

`material` is what is played, `replay` plays it, `truth` says which crossings were real, `score` compares the
two, `study` sets a rule book beside the one in force, `report` and `draw` show it; `cli` is the command.
"""
