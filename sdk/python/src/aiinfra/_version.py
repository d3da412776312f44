"""The version of the contract. Made from the OpenAPI document by `make sdk`; changes here are lost."""

from __future__ import annotations

CONTRACT = "0.1.0"
