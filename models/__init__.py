"""Model families: what a feature is, how each family trains, and the signatures they share."""
