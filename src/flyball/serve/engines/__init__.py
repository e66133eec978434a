"""What is asked of engines apart from requests: metrics pages, health, model lists."""
