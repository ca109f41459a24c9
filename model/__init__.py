"""The protocol language, its two engines, and what is computed from them; pure."""
