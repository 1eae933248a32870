"""What the Evaluator measures, and what it reads for the gate."""
