"""Proposes a data set folder for a table: decisions from the facts of `pipeline.profiling`, each with its reason.

Which module to use:

- `propose`: from an open warehouse to a Proposal. Start here.
- `label`, `keys`, `dates`, `columns`, `copies`, `split`, `missing`: one kind of decision each; pure functions.
- `rendering`: the text of the files. `folder`: writes them, all or none.
- `update`: what has changed in a table since, and the lines to add.
- `words`, `names`, `conversion`: what names say, valid names, SQL.
"""
