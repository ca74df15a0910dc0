"""What all of an answer passes through: values inside a network that nothing of the input goes around."""

from torch import Tensor


def goes_around(outputs: Tensor, inside: Tensor) -> bool:
    """Whether something of the input reaches the outputs without passing through this value inside.

    The order in which layers are registered, or called, does not say it: the last of a residual block may be its shortcut,
    which sees nothing of what goes the long way. What is cut off from gradients is not seen.

    >>> import torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> long = (2 * x).exp()
    >>> both = long + x
    >>> goes_around(both.sum(), long), goes_around(both.sum(), both)
    (True, False)
    """
    until = (inside.grad_fn, inside.output_nr)
    edges = [(outputs.grad_fn, outputs.output_nr)]
    seen = {edges[0][0]}
    while edges:
        edge = edges.pop()
        node = edge[0]
        if node is None or edge == until:
            continue
        if hasattr(node, "variable"):  # a leaf, which is what the input came from
            return True
        # An edge to a value beside `inside`, out of the same step, leads to that step all the same.
        for further in node.next_functions:
            if further != until and further[0] not in seen:
                seen.add(further[0])
                edges.append(further)
    return False
