"""How cases are played: one loop, in this process or in Ray workers, from a plan to results."""
