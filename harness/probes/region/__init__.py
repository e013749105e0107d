"""`bench probe region`: where, between the values of a perturbation's range, an agent breaks."""
