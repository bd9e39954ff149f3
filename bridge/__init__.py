"""Muster: runs a company's Matrix chat by its own rules.

The rooms of this house are named for what they decide: `directory` (who works here), `policy` (what the company
wants), `membership` (who should be where), `archive` (what was said) and `announcements` (what must be heard).
`docs/architecture.md` tells how a change travels through them.
"""

__version__ = "0.1.0"
