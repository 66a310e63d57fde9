"""What keeps an installation alive over the years: backups, their restoration, and a look before an update."""
