"""What executes campaigns: shards, the Ray pool and the coordinator."""
