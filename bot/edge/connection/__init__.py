"""What the connection to Discord needs beside discord.py: starts that are waited for, and requests that are counted."""
