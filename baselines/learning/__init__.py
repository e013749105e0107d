"""What the agents share that learn from demonstrations.

learner.py         an optimiser with its schedule, checkpoints to resume from, and metrics
parallel.py        several processes that learn one model together
sampling.py        which step of which demonstration is drawn next
config_file.py     config.json: a typed, bounded configuration beside the weights
best_weights.py    keeps the weights that do best on demonstrations that are not learned
stages.py          what a training folder holds beside the weights
text_tokenizer.py  text as token ids
views.py           what encoders read of a view
encoders.py        grids and numbers as rows of a model
packages.py        whether the packages are installed that an agent needs
"""
