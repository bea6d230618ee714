"""The first-party plugins, each a package with the same rooms."""
