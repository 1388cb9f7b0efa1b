"""The programs' door, `/api/v1`: payments and orders, described by OpenAPI."""
