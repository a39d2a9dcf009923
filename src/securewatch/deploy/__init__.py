"""One customer's deploy: values, plan, decision and effects. Knows nothing of fleets, SQL or terminals."""
