"""The whole fleet, pure: windows, approvals, gates and the decision over all runs. Acts on nothing."""
