"""Ground states by TeNPy: the only place, beside study modules, that imports it."""
