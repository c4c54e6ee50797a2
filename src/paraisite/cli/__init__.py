"""The command line, `paraisite`: one module for each verb."""
