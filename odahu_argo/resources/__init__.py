"""Connections, toolchains and the profile, stored on the cluster."""
