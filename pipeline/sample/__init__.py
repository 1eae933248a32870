"""Sample events of a shop, with known conversion probabilities."""
