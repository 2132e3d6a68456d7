"""The methods of Table 3, each a small head or partition on the common trunk."""
