"""The scores of customers: their columns, deciles and arms, and the tables that hold them."""
