"""The page, one file a tab. Wiring only: what a command or an API user would want lives in `detector`."""
