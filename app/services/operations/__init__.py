"""What operators and staff run a shop with: doctor, purge, reports, settings, erasure."""
