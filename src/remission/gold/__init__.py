"""The gold archive as it lies on the disk, and all that reading and trusting it takes; what is written is in ``clinic.archive``.

::

    ARCHIVE/
      log/00000000.jsonl      events of one batch, each with its leaf hash, then the signed checkpoint that covers them
      records/00000000.jsonl  what is known of the items of that batch, one canonical JSON a line
      packs/00000000.pack     their small contents, one behind the other, each compressed
      objects/ab/ab12...      large contents, one file each, named by the hash of what they unpack to
      verify.py, README.txt   a verifier that needs nothing of ours, and what all this is
      incoming/               what an interrupted command left; counts for nothing, and goes with the next command

A batch becomes visible by the renaming of its log file and by nothing else. Files are never changed afterwards, with one
exception: erasing overwrites bytes that a tombstone in the log names.
"""
