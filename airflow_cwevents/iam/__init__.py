"""IAM policy documents: what roles, resources and the DAG's credentials need. Works without Airflow and boto3."""
