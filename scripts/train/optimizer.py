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
    def __init__(self, model, lr_matrix, lr_other):
        self.lr_matrix, shapes, others = lr_matrix, {}, []
        for name, p in model.named_parameters():
            if p.dim() == 2 and name != "embedding":
                shapes.setdefault(tuple(p.shape), []).append(p)
            else:
                others.append(p)
        self.groups = list(shapes.values())
        self.momentum = [torch.zeros((len(g),) + tuple(g[0].shape), device=g[0].device) for g in self.groups]
        self.lr_other = lr_other
        self.adam = torch.optim.Adam(others, lr=lr_other, betas=(.9, .97))
        self.parameters = [p for g in self.groups for p in g] + others

    @torch.no_grad()
    def step(self, schedule):
        for params, momentum in zip(self.groups, self.momentum):
            g = torch.stack([p.grad for p in params])
            momentum.mul_(.95).add_(g, alpha=.05)
            update = orthogonal(g * .05 + momentum * .95)
            rate = self.lr_matrix * schedule
            torch._foreach_mul_(params, 1 - rate * .01)
            torch._foreach_add_(params, list(update.unbind(0)), alpha=-rate * math.sqrt(max(1, update.shape[1] / update.shape[2])))
        self.adam.param_groups[0]["lr"] = self.lr_other * schedule
        self.adam.step()
        for p in self.parameters:
            p.grad = None
