"""What one expert is: an encoder, a head, and the interface that panels see."""
