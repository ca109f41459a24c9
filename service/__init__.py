"""What people meet: the command line, and later the API and the pages."""
