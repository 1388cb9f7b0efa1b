"""What validated data say: consumption that falls without a reason, energy that goes in and is not measured."""
