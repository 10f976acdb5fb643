"""
Events in a notebook: tables, records for pandas, and a table that updates itself.

Events, clients and their stats show as HTML at the end of a cell by themselves; this module is
for more than one at a time::

    %load_ext evolution_ws.notebook

    from evolution_ws import Client, notebook

    client = Client.from_env().connect()
    notebook.table(client.events("messages.upsert", limit=20, timeout=10))

Interrupting a cell ends the loop in it and leaves the client usable. Running a cell again leaves
no second listener, because a client that nobody holds closes itself. IPython holds on to what
cells return and to where they failed; the extension that ``%load_ext`` loads lets go of clients
there.
"""

from __future__ import annotations

from ._extension import load_ipython_extension, unload_ipython_extension
from ._live import live
from ._records import to_records
from ._table import EventTable, table


__all__ = [
    "EventTable",
    "live",
    "load_ipython_extension",
    "table",
    "to_records",
    "unload_ipython_extension",
]
