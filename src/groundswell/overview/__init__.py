"""What there is to see: bodies of JSON that the API answers and the pages draw, made of what is stored."""
