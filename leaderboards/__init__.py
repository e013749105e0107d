"""From stored results to tables: reports, comparisons of runs, figures beside published ones."""
