"""What is on disk, and how it is read: plans, run directories, results, traces, identities."""
