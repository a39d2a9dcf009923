"""The sample vendor application: `app` is what the releases of the vendor's repository hold, file by file."""
