"""The study of arXiv:2411.18259: which transfer of knowledge helps, measured over nine runs."""
