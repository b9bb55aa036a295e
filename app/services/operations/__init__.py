"""Operations of whoever runs the shop: doctor, purge, reports, schema, store, erasure."""
