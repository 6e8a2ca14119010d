"""`python -m wldetect`: the same as the `wldetect` command."""

from wldetect.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
