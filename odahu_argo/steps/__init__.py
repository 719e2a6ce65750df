"""What runs inside a pod: `python -m odahu_argo.steps checkout|download|train|package`, as `contract` lays it down."""
