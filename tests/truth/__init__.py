"""Is what the program says true? Random histories of runs, and every drawing held against the simulator's own log.

`scene.py` runs the shipped command line in this process: only wire, clock, disk and signals are exchanged. `nights.py`
plays a history from a seed. `oracles.py` holds what was said against what the world knows; another oracle is a
function from a `Night` (or, at the end, from a `History`) to the sentences that are false, and a line in `ORACLES`
(or `AT_THE_END`) there. `planted.py` puts false sentences back in: each has to be found. `campaign.py` prints figures.
"""
