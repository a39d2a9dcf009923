"""A vendor's application in small: a backend that answers for its health, and a page. Needs the standard library only.

It is copied into the vendor's repository as it stands, so it imports its own modules relatively and nothing of the
local platform. The one library that it uses, psycopg, speaks to the customer's database.
"""
