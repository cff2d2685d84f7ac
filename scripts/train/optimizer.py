"""Muon for matrices, Adam for the embedding and the norms. Matrices of one shape are stepped together."""
import math

import torch


def orthogonal(g):
    """Nearest semi-orthogonal matrices of a batch (count, out, in): Newton-Schulz, five steps."""
    x = g.bfloat16() if g.is_cuda else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315) @ x
    return (x.transpose(1, 2) if tall else x).to(g.dtype)


class Optimizer:
    """Learning rates are tensors where the model is on a GPU, so that a recorded step can be played with other ones."""

    def __init__(self, model, lr_matrix, lr_other):
        self.lr_matrix, self.lr_other, shapes, others = lr_matrix, lr_other, {}, []
        for name, p in model.named_parameters():
            if p.dim() == 2 and name != "embedding":
                shapes.setdefault(tuple(p.shape), []).append(p)
            else:
                others.append(p)
        self.groups = list(shapes.values())
        self.momentum = [torch.zeros((len(g),) + tuple(g[0].shape), device=g[0].device) for g in self.groups]
        recorded = others[0].is_cuda
        self.rate = torch.zeros((), device=others[0].device)
        self.adam = torch.optim.Adam(others, lr=torch.zeros_like(self.rate) if recorded else 0.0, betas=(.9, .97), capturable=recorded)
        self.parameters = [p for g in self.groups for p in g] + others

    @torch.no_grad()
    def step(self):
        """`rate` is the schedule's factor."""
        for params, momentum in zip(self.groups, self.momentum):
            g = torch.stack([p.grad for p in params])
            momentum.mul_(.95).add_(g, alpha=.05)
            update = orthogonal(g * .05 + momentum * .95) * math.sqrt(max(1, g.shape[1] / g.shape[2]))
            update = (update + .01 * torch.stack(list(params))) * (-self.lr_matrix * self.rate)
            torch._foreach_add_(params, list(update.unbind(0)))
        group = self.adam.param_groups[0]
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].copy_(self.rate * self.lr_other)
        else:
            group["lr"] = self.rate.item() * self.lr_other
        self.adam.step()
        for p in self.parameters:
            p.grad = None
