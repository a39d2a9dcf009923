"""`release simulate`: the real plan, decisions and gates on a virtual clock; effects are answered without HTTP."""

from rehearsal.simulate.courses import simulate

__all__ = ["simulate"]
