"""`Service`: what all routes of the API share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paraisite.model.registry import current, registry
from paraisite.web.limits import Limits
from paraisite.web.pool import Pool
from paraisite.web.results import Results


@dataclass(frozen=True)
class Service:
    """Workers, limits, the model as its name or folder was given, and results that the page opens with."""

    pool: Pool
    limits: Limits
    model: str
    results: Results = field(default_factory=Results)

    @property
    def name(self) -> str:
        """Name of the model: in the registry, else on its card; never a place on this machine."""
        key = current(self.model)
        return key if key in registry() else str(self.pool.facts.get("name") or "model")

    def models(self) -> dict[str, dict[str, Any]]:
        """Facts of every model of the registry, and of the one that predicts, by name."""
        kept = ("title", "kind", "licence", "citation", "properties")
        known = {
            name: {"name": name, "served": False} | entry.model_dump(mode="json", include=set(kept))
            for name, entry in registry().items()
        }
        served = known.setdefault(self.name, {"name": self.name, "title": self.pool.facts.get("description", "")})
        served["served"] = True
        return known

    def model_facts(self, name: str) -> dict[str, Any] | None:
        """Facts of one model: those of the card, too, if it predicts; None if there is none of this name."""
        found = self.models().get(current(name))
        if found is None:
            return None
        return found | ({"card": self.pool.facts} if found["served"] else {})
