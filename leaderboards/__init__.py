"""Evidence into tables: reports, and what is published."""
