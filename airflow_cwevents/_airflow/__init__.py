"""What differs between Airflow versions, and what every operator does with Airflow."""
