"""The sub-commands of `mift`, one file each."""
