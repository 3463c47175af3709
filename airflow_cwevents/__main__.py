"""The command ``airflow-cwevents``, also as ``python -m airflow_cwevents``."""

from __future__ import annotations

import sys

from airflow_cwevents._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
