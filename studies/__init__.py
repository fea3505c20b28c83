"""The open questions of the field, each answered by one script that measures, draws and writes its page."""
