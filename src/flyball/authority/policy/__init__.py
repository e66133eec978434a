"""Policy: what the site and the law allow, in Cedar."""
