"""The steps of a run: read files, call the libraries, write files; finished work is skipped."""
