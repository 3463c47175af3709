"""Send: events leave a DAG, from one to millions."""
