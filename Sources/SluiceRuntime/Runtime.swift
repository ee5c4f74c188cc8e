// The runtime drives queries: trigger, offsets, batch, checkpoint, commit.
