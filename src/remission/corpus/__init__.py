"""Local corpora: files and folders of documents, with an account of everything that was set aside."""
