"""``python -m remission``."""

from remission.cli import main

if __name__ == "__main__":
    main()
