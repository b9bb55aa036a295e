"""The audit trail (who changed what), the books (figures that must agree), the security log."""
