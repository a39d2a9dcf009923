"""The controller: load, decide, commit, dispatch; the effect ledger. Decides nothing itself."""
