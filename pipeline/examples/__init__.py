"""Examples: how the rows are written to artifacts and read from them, the same for Parquet files and TFRecords.

Which module to use:

- `encoding`, `writers`: from record batches of the features table to the files of an Examples artifact.
- `data_summary`: what ExampleGen knows about the rows (splits, warnings), as a JSON file beside the splits.
- `splits`: the files and the numbers of rows of an artifact's splits. Start here to read something.
- `files`: record batches of given files; `list_columns` turns their columns into one value a row.
- `transformed`: transformed examples as the arrays that models learn from.
- `raw`: raw examples, transformed on the way, with the user of each row.
- `work_units`, `batches`: raw examples as saved models take them, in units for several workers.
- `leakage`: single features that predict the label suspiciously well, found while the rows are written.

A path of an artifact is never a pattern: its folders may have brackets in their names. Files that were deleted or
damaged raise `files.LostExamplesError`, which names the folder and says what to do.
"""
