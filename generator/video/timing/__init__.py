"""What plays when: how a clip's end meets its beginning, and frames between the rendered ones."""
