"""Protection: what the meters say by themselves, and the alerts that follow for the vigilance officer."""
