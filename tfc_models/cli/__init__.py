"""The command line: `tfcm VERB ...`, one file a verb."""
