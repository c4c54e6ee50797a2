"""The network: downloads that resume, and clients of live sources."""
