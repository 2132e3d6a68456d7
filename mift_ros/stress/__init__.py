"""The stress suite: seeded scenarios of what goes wrong in flight, flown through the localizer and judged."""
