"""The one state database, the audit log, the encryption box and the controller lock. Rows never leave this package."""
