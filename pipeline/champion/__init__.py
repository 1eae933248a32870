"""The champion: what a model records about its training, and whether two models can be compared."""
