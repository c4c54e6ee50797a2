"""Nequix's convolution as matrix products over the neighbours of a few sites at a time.

nequix multiplies tensors edge by edge, and keeps the products of all edges for the gradient: gigabytes that a
processor waits for. Here the neighbours of a site stand in slots, equally many for each site. The sum over them and
over the components of their features is then one matrix product for each path of the tensor product. The products of a
few sites stay in the processor's cache, and are recomputed for the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import e3nn_jax as e3nn
import equinox as eqx
import jax
import jax.numpy as jnp
import jraph
import numpy as np
from nequix.model import Nequix, NequixConvolution

FAR = 1000.0
"""Å: a distance at which nothing is a neighbour."""
BLOCK = 32
"""Slots of a site that are computed, or skipped, together."""
SIZES = (16, 64, 128, 256)
"""Sites that crystals are filled up to; larger ones to a multiple of the last. Slots: `BLOCK` times a power of two."""


def with_slots(model: Nequix, sites: int) -> Nequix:
    """Return a model with the same weights, whose layers take graphs that `in_slots` made.

    Parameters
    ----------
    model : nequix.model.Nequix
    sites : int
        Sites whose products are held at once.
    """
    return eqx.tree_at(lambda m: m.layers, model, [NeighbourConvolution(layer, sites) for layer in model.layers])


def in_slots(graph: jraph.GraphsTuple, sites: int) -> jraph.GraphsTuple:
    """Put the edges of one crystal into slots, equally many for each site, and fill up to one of `SIZES`.

    Slots that stay empty, and those of the sites that fill up the number of sites, hold an edge of which one end is
    far away; beyond the cutoff it contributes nothing. The filling sites are a second graph, as jraph has it.
    """
    n = int(graph.n_node[0])
    size = next((size for size in SIZES if size > n), SIZES[-1] * (1 + n // SIZES[-1]))
    filling = sites * -(-size // sites) - n
    receivers = np.asarray(graph.receivers)
    degree = np.bincount(receivers, minlength=n)
    slots = 2 * BLOCK
    while slots < degree.max():
        slots *= 2
    order = np.argsort(receivers, kind="stable")
    first = np.cumsum(degree) - degree
    at = receivers[order] * slots + np.arange(len(order)) - first[receivers[order]]

    senders = np.full((n + filling) * slots, n, dtype=np.int32)
    senders[n * slots :] = 0
    senders[at] = np.asarray(graph.senders)[order]
    shifts = np.zeros((len(senders), 3), dtype=np.float32)
    shifts[at] = np.asarray(graph.edges["shifts"])[order]
    positions = np.asarray(graph.nodes["positions"])
    far = np.full((filling, 3), positions.max() + FAR, dtype=np.float32)
    cell = graph.globals["cell"]
    return graph._replace(
        n_node=np.array([n, filling], dtype=np.int32),
        n_edge=np.array([n, filling], dtype=np.int32) * slots,
        nodes=graph.nodes
        | {
            "species": np.pad(graph.nodes["species"], (0, filling)),
            "positions": np.concatenate([positions, far]),
        },
        edges={"shifts": shifts},
        senders=senders,
        receivers=np.repeat(np.arange(n + filling, dtype=np.int32), slots),
        globals=graph.globals | {"cell": None if cell is None else np.concatenate([cell, np.zeros_like(cell)])},
    )


@dataclass(frozen=True)
class _Path:
    """One path of the tensor product: from an input, by one angular momentum of the edge, to an output."""

    source: int
    channels: int
    out: e3nn.Irrep
    coupling: np.ndarray
    """Clebsch-Gordan coefficients (components of the edge's harmonics, of the output, of the input)."""


def _paths(features: e3nn.Irreps, harmonics: e3nn.Irreps, wanted: e3nn.Irreps) -> list[_Path]:
    """Paths of e3nn's tensor product, in the order of its output, which is that of the weights."""
    kept = {ir for _, ir in wanted}
    found = []
    for source, (channels, ir) in enumerate(features):
        for (_, edge), part in zip(harmonics, harmonics.slices(), strict=True):
            for out in ir * edge:
                if out in kept:
                    coupling = np.zeros((harmonics.dim, out.dim, ir.dim), dtype=np.float32)
                    cg = np.asarray(e3nn.clebsch_gordan(ir.l, edge.l, out.l)) * np.sqrt(out.dim)
                    coupling[part] = cg.transpose(1, 2, 0)
                    found.append(_Path(source, channels, out, coupling))
    return sorted(found, key=lambda path: path.out)


class NeighbourConvolution(eqx.Module):  # type: ignore[misc]
    """A layer of nequix with the weights of another one, for graphs that `in_slots` made."""

    layer: NequixConvolution
    sites: int = eqx.field(static=True)

    def __call__(
        self,
        features: e3nn.IrrepsArray,
        species: jax.Array,
        harmonics: e3nn.IrrepsArray,
        radial_basis: jax.Array,
        senders: jax.Array,
        receivers: jax.Array,
    ) -> e3nn.IrrepsArray:
        """Return the features after the layer; the arguments are those of `NequixConvolution`."""
        layer, sites = self.layer, self.sites
        messages = layer.linear_1(features)
        paths = _paths(messages.irreps, harmonics.irreps, layer.tp_irreps)
        nodes = [jnp.swapaxes(chunk, 1, 2) for chunk in messages.chunks]  # channels last
        n = features.shape[0]

        def products(edges: Any) -> list[jax.Array]:
            harmonic, radial, sender = edges
            weights = jax.lax.split(layer.radial_mlp(radial), [path.channels for path in paths], axis=2)
            sent = [node[sender] for node in nodes]
            found = []
            for path, weight in zip(paths, weights, strict=True):
                coupling = jnp.einsum("snj,joi->soni", harmonic, path.coupling).reshape(sites, path.out.dim, -1)
                weighted = (sent[path.source] * weight[:, :, None, :]).reshape(sites, -1, path.channels)
                found.append(coupling @ weighted)
            return found

        def nothing(edges: Any) -> list[jax.Array]:
            return [jnp.zeros((sites, path.out.dim, path.channels), messages.dtype) for path in paths]

        @jax.checkpoint  # type: ignore[untyped-decorator]
        def aggregate(edges: Any) -> list[jax.Array]:
            return jax.lax.cond(jnp.any(edges[1] != 0), products, nothing, edges)  # the basis is 0 beyond the cutoff

        def in_blocks(array: jax.Array) -> jax.Array:
            blocks = array.reshape(n // sites, sites, -1, BLOCK, *array.shape[1:]).swapaxes(1, 2)
            return blocks.reshape(-1, sites, BLOCK, *array.shape[1:])

        edges = (harmonics.array, radial_basis, senders)
        sums = jax.lax.map(aggregate, [in_blocks(array) for array in edges])
        sums = [found.reshape(n // sites, -1, *found.shape[1:]).sum(axis=1) for found in sums]
        chunks = [
            jnp.swapaxes(found.reshape(n, path.out.dim, path.channels), 1, 2)
            for found, path in zip(sums, paths, strict=True)
        ]
        irreps = e3nn.Irreps([(path.channels, path.out) for path in paths])
        total = e3nn.from_chunks(irreps, chunks, (n,), messages.dtype)

        # the rest is that of NequixConvolution
        total = total / jnp.sqrt(jax.lax.stop_gradient(layer.avg_n_neighbors))
        skip = layer.skip(species, features) if layer.index_weights else layer.skip(features)
        features = layer.linear_2(total) + skip
        if layer.layer_norm is not None:
            features = layer.layer_norm(features)
        return e3nn.gate(features, even_act=jax.nn.silu, odd_act=jax.nn.tanh, even_gate_act=jax.nn.silu)
