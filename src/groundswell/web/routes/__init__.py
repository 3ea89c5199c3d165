"""What is answered at which address: predictions, cron, JSON of the pages, webhooks, health, the pages."""
