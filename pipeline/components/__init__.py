"""Custom components. Each keeps the interface, artifact types and lineage of the TFX component that it replaces."""
