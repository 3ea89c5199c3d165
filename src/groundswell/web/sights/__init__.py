"""What the pages draw and tabulate: bodies of JSON in, pictures and tables out."""
