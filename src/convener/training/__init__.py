"""How one expert is trained: batches, losses, the loop, checkpoints."""
