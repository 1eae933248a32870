"""Where the rows come from: one small interface, two engines, one SQL."""
