"""What AWS says of itself: ARNs, limits, target types, JSON, errors, retries."""
