"""Stock: every change of a figure, the ledger, corrections by staff."""
