"""Custom components: each keeps the interface, artifact types and lineage of the TFX one it stands for."""
