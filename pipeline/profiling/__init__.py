"""Profiling: facts about a source that has no data set folder yet, computed inside the warehouse.

Which module to use:

- `profile`: what is known of a table, of its columns, and of a column beside the label. Plain data.
- `forms`: how text reads (a number with a decimal comma, a date), and the SQL that converts it.
- `table_profiler`: computes a profile with SQL. Start here.

`pipeline.proposal` decides what follows from the facts.
"""
