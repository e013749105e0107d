"""`bench probe sft-diversity`: what do the demonstrations of other domains give?"""
