"""The gold archive: data known to be human, kept so that anybody can check that nothing was added, altered or removed.

Adding, changing, reviewing, proving, exporting and verifying; the format and its reader are :mod:`remission.gold`.
"""
