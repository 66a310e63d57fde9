"""The connection to Discord: starts that are waited for and looked after, edits and starts paced, refusals counted."""
