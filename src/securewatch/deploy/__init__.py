"""One customer's deploy: the values, the plan, the decision and the effects. Knows nothing of fleets, SQL or terminals."""
