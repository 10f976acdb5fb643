"""
Faults in many orders: what the server stored is what the client delivers, each message once.

``python -m tests.faults --schedules 300`` runs random schedules, ``--seed N`` one of them again,
``--soak`` a million events.
"""
