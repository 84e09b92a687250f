"""A panel: several experts, who trains on what, and the rule that combines their answers."""
