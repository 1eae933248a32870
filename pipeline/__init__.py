"""The pipeline: settings, the DAG, its components, and the warehouse that feeds it."""
