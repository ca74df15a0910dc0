"""Which parts of an input an answer rests on: methods, and curves that say how far to believe them.

A room that knows tensors, modules and functions, and no subject: what a network is and how it is run it takes from
`perturbation`, whose masking of inputs is the other side of the same question.
"""
