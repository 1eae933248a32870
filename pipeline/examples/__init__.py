"""Reading and writing examples: Parquet or TFRecord files, Arrow record batches, arrays."""
