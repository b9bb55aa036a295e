"""What the shop tells its operators: metrics, logs, traces."""
