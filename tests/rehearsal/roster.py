"""Rows as the fleet's roster file has them, as far as a circle needs them."""


def meters(count: int) -> list[dict[str, str]]:
    """`count` meters of two makes."""
    return [{"meter": f"CG{10_000_001 + n}", "make": ("aa", "bb")[n % 2]} for n in range(count)]
