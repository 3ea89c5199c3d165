"""The teaching loop: what a cron endpoint or a command runs from start to end."""
