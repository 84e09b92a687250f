"""How the learning rate runs through a training, as a factor of its peak."""


def schedule(step: int, total: int, warmup: float) -> float:
    """Linear warm-up over a share of all steps, then linear decay to zero."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))
