"""Incidents: what happened to the network, gathered from what many meters say: one for a storm, with its meters."""
