"""The service: what runs for as long as Muster lives, put together as the configuration says."""
