"""The DuckDB engine, which runs BigQuery SQL inside the process."""
