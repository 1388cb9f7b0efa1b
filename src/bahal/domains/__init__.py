"""The nouns of the business. Each domain stands alone; they meet only in journeys."""
