"""How the shop talks to its databases: engines, transactions, prepared statements, paging."""
