"""Proposes a data set folder for a table: decisions from the facts of `pipeline.profiling`, each with its reason.

Which module to use:

- `propose`: from the warehouse of a table to a Proposal. Start here.
- `label`, `keys`, `dates`, `columns`, `leaks`, `identifiers`, `slices`, `split`, `missing`: one kind of decision each;
  pure functions over facts.
- `rendering`: the text of the files. `folder`: writes them, all or none. `summary`: the terminal and the page.
- `update`: what has changed in a table since (`changes`, from the `record`), and lines to add (`insertion`).
- `export`: from a Google Analytics export to the files of its data set; its modules are named `export_...`.
- `words`, `names`, `conversion`: what names say, valid names, SQL.
"""
