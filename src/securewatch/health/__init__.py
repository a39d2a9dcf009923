"""What a customer's sites say: probes over HTTP and the pure verdict over their samples. Decides no deploy."""
