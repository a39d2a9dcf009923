"""The controller: load, decide, commit, dispatch; the effect ledger and the in-process runner. Decides nothing itself."""
