"""The HTTP face: cron endpoints, the prediction API and one table of errors."""
