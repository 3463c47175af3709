"""``airflow-cwevents demo``: AWS's tutorial in a real Airflow on a local AWS."""
