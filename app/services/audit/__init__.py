"""The trail (who changed what), the books (proof that figures add up), the security log."""
