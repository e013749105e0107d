"""Did a run get worse? Pairs of two runs, the verdict, the gate and its stopping rules."""
