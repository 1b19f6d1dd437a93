"""The Studio: a local web page on which a session is watched, heard and steered."""
